import { StreamError } from "@adstream/engine/errors";
import type { PartitionInfo } from "@adstream/engine/ports";

/**
 * Where to begin reading a partition of the results: at the committed offset, and for a new group at the first record.
 *
 * @throws {StreamError} RECORDS_EXPIRED, LOG_REPLACED
 */
export function startOffset(partition: number, info: PartitionInfo): number {
  const { topic, low, high, committed } = info;
  const where = `${topic} partition ${partition}`;
  if (committed === undefined) return low;
  if (committed < low) {
    const text =
      `${low - committed} records of ${where} expired before they were written to MongoDB: ` +
      `the group stands at offset ${committed}, the log begins at ${low}; ` +
      "set the group's offset to go on without them";
    throw new StreamError("RECORDS_EXPIRED", "stop", text);
  }
  if (committed > high) {
    const text =
      `${where} ends at offset ${high}, before the group's offset ${committed}: ` +
      "it is another log than the one read before; delete the group's offsets to read it from the start";
    throw new StreamError("LOG_REPLACED", "stop", text);
  }
  return committed;
}
