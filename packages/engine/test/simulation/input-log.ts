import {
  createColumns,
  rejectCode,
  type RecordColumns,
  reserveColumns,
} from "../../src/columns.ts";
import { type JobVersion, readAs } from "./job-versions.ts";
import type { Topic } from "./topic.ts";

/** One record of the input topic as its producer meant it. */
export type InputRecord = {
  readonly kind: "record";
  readonly recordTime: number;
  readonly eventTime: number;
  readonly key: string;
  /** Tells redeliveries of one event; empty: it has none. */
  readonly eventId: string;
  readonly clicks: number;
  readonly views: number;
  readonly cost: number;
  /** 0, or why its bytes cannot be read. */
  readonly rejected: number;
  readonly schemaId: number;
};

/** Offsets that transactions use for themselves: nothing to apply, but the position moves over them. */
type Marker = { readonly kind: "marker" };

export type InputEntry = InputRecord | Marker;
export type InputTopic = Topic<InputEntry>;

export const unknownSchema = rejectCode("unknown schema id");
const encoder = new TextEncoder();

/** Fills columns with the records of `partition` in [from, to), reusing them like a decoder does. */
export function fillColumns(
  columns: RecordColumns,
  entries: readonly InputEntry[],
  range: { readonly from: number; readonly to: number },
  deadSchemas: ReadonlySet<number>,
  version: JobVersion,
): void {
  reserveColumns(columns, range.to - range.from);
  const parts: Uint8Array[] = [];
  let size = 0;
  columns.count = 0;
  for (let offset = range.from; offset < range.to; offset++) {
    const logged = entries[offset];
    const entry = logged && readAs(version, logged);
    if (logged?.kind !== "record" || entry?.kind !== "record") continue;
    const row = columns.count++;
    const key = encoder.encode(entry.key);
    const value = encoder.encode(JSON.stringify(logged));
    const id = encoder.encode(entry.eventId);
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
    columns.idStart[row] = size + key.length + value.length;
    columns.idLength[row] = id.length;
    parts.push(key, value, id);
    size += key.length + value.length + id.length;
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
