import { crc32 } from "node:zlib";
import type { RecordColumns } from "./columns.ts";
import { logReplaced, readTheNewOne } from "./operator-halt.ts";
import type { PartitionInfo } from "./ports.ts";

/**
 * The last record behind a checkpoint, told by its content. A topic that was deleted and made again, or another cluster
 * behind the same name, has offsets of its own: they look valid and mean other records (protocol K5).
 */
export type Canary = {
  readonly offset: number;
  readonly recordTime: number;
  /** CRC-32 of key bytes, then value bytes. */
  readonly crc: number;
};

/** The canary of row `row`. */
export function canaryOf(columns: RecordColumns, row: number): Canary {
  const keyLength = Math.max(0, columns.recordKeyLength[row] ?? 0);
  const valueLength = Math.max(0, columns.recordValueLength[row] ?? 0);
  const keyStart = columns.recordKeyStart[row] ?? 0;
  const valueStart = columns.recordValueStart[row] ?? 0;
  const crc = crc32(columns.bytes.subarray(keyStart, keyStart + keyLength));
  return {
    offset: columns.offset[row] ?? 0,
    recordTime: columns.recordTime[row] ?? -1,
    crc: crc32(columns.bytes.subarray(valueStart, valueStart + valueLength), crc),
  };
}

export function sameCanary(a: Canary, b: Canary): boolean {
  return a.offset === b.offset && a.recordTime === b.recordTime && a.crc === b.crc;
}

/** The canary of a task as far as the log still has it. */
export function canaryIn(
  info: Pick<PartitionInfo, "low">,
  { canary }: { readonly canary: Canary | undefined },
): Canary | undefined {
  return canary !== undefined && canary.offset >= info.low ? canary : undefined;
}

/**
 * Holds the first row against the canary of a checkpoint.
 * @throws {OperatorHalt} LOG_REPLACED
 */
export function expectCanary(
  expected: Canary,
  columns: RecordColumns,
  place: { readonly topic: string; readonly partition: number },
): void {
  if (sameCanary(expected, canaryOf(columns, 0))) return;
  const finding = `the record at offset ${expected.offset} is not the one the checkpoint was made from: the topic was made again`;
  throw logReplaced(place, finding, readTheNewOne);
}
