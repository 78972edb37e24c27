import { StreamError } from "@adstream/engine/errors";
import type { CommittedInfo } from "@adstream/kafka/partition-info";
import type { BatchHeader } from "@adstream/kafka/record-batch";

/** Where to begin reading a partition of the results, and what must be found there. */
export type Start = {
  readonly offset: number;
  /** The batch before `offset` is read once more: it must be this one. undefined: nothing can be held against it. */
  readonly canary?: string;
};

/**
 * Tells a record batch from any other that could lie at its place: a topic that was made again has offsets of its own,
 * which look valid and mean other records (K5). It is committed with the offset behind the batch.
 */
export function batchCanary({ baseOffset, crc }: BatchHeader): string {
  return `batch ${baseOffset} ${crc.toString(16)}`;
}

/** @throws {StreamError} LOG_REPLACED */
export function expectCanary(
  place: { readonly topic: string; readonly partition: number },
  expected: string,
  header: BatchHeader,
): void {
  if (batchCanary(header) === expected) return;
  const text =
    `the batch at offset ${header.baseOffset} of ${place.topic} partition ${place.partition} is not the one that was read before: ` +
    "the topic was made again; delete the group's offsets to read it from the start";
  throw new StreamError("LOG_REPLACED", "stop", text);
}

/**
 * At the committed offset, and for a new group at the first record.
 *
 * @throws {StreamError} RECORDS_EXPIRED, LOG_REPLACED
 */
export function startOffset(partition: number, info: CommittedInfo): Start {
  const { topic, low, high, committed, note } = info;
  const where = `${topic} partition ${partition}`;
  if (committed === undefined) return { offset: low };
  if (committed < low) {
    const text =
      `${low - committed} records of ${where} expired before they were written to MongoDB: ` +
      `the group stands at offset ${committed}, the log begins at ${low}; ` +
      "set the group's offset to go on without them";
    throw new StreamError("RECORDS_EXPIRED", "stop", text);
  }
  if (committed > high) {
    const text =
      `${where} ends at offset ${high}, before offset ${committed}, up to which it was read: ` +
      "the topic was made again; delete the group's offsets to read it from the start";
    throw new StreamError("LOG_REPLACED", "stop", text);
  }
  // Retention may have taken the batch before; what it took was read.
  if (note === undefined || committed <= low) return { offset: committed };
  return { offset: committed, canary: note };
}
