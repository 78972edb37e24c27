import {
  createColumns,
  rejectCode,
  type RecordColumns,
  reserveColumns,
} from "../../src/columns.ts";

/** One record of the input topic as its producer meant it. */
export type InputRecord = {
  readonly kind: "record";
  readonly recordTime: number;
  readonly eventTime: number;
  readonly key: string;
  readonly clicks: number;
  readonly views: number;
  readonly cost: number;
  /** 0, or why its bytes cannot be read. */
  readonly rejected: number;
  readonly schemaId: number;
};

/** Offsets that transactions use for themselves: nothing to apply, but the position moves over them. */
type Marker = { readonly kind: "marker" };

/** Partitions of the input topic; the offset of an entry is its index. */
export type InputLog = (InputRecord | Marker)[][];

export const unknownSchema = rejectCode("unknown schema id");
const encoder = new TextEncoder();

/** Fills columns with the records of `partition` in [from, to), reusing them like a decoder does. */
export function fillColumns(
  columns: RecordColumns,
  entries: InputLog[number],
  range: { readonly from: number; readonly to: number },
  deadSchemas: ReadonlySet<number>,
): void {
  reserveColumns(columns, range.to - range.from);
  const parts: Uint8Array[] = [];
  let size = 0;
  columns.count = 0;
  for (let offset = range.from; offset < range.to; offset++) {
    const entry = entries[offset];
    if (entry?.kind !== "record") continue;
    const row = columns.count++;
    const key = encoder.encode(entry.key);
    const value = encoder.encode(JSON.stringify(entry));
    columns.offset[row] = offset;
    columns.recordTime[row] = entry.recordTime;
    columns.rejected[row] = deadSchemas.has(entry.schemaId) ? unknownSchema : entry.rejected;
    columns.eventTime[row] = entry.eventTime;
    columns.keyStart[row] = size;
    columns.keyLength[row] = key.length;
    columns.recordKeyStart[row] = size;
    columns.recordKeyLength[row] = key.length;
    columns.recordValueStart[row] = size + key.length;
    columns.recordValueLength[row] = value.length;
    for (const [sum, figure] of [entry.clicks, entry.views, entry.cost].entries()) {
      const column = columns.values[sum];
      if (column !== undefined) column[row] = figure;
    }
    parts.push(key, value);
    size += key.length + value.length;
  }
  columns.bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    columns.bytes.set(part, at);
    at += part.length;
  }
}

export function inputColumns(): RecordColumns {
  return createColumns(3, 8);
}
