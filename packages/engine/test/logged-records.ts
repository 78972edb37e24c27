import {
  createColumns,
  type RecordColumns,
  rejectCode,
  type RejectReason,
} from "../src/columns.ts";
import type { WindowedJob } from "../src/windowed-job.ts";

/** A record of a partition as a test writes it down. */
export type LoggedRecord = {
  readonly offset: number;
  /** Epoch ms, -1 for none. */
  readonly recordTime: number;
  readonly eventTime: number;
  readonly key: string;
  readonly values: readonly number[];
  readonly rejected: RejectReason;
  /** Names the delivery; without it, or empty, it has no name. */
  readonly id?: string;
};

/** A record with what matters to the test; the rest is plain. */
export function record(offset: number, parts: Partial<LoggedRecord> = {}): LoggedRecord {
  const eventTime = parts.eventTime ?? 0;
  return {
    offset,
    eventTime,
    recordTime: eventTime >= 0 ? eventTime : -1,
    key: "a",
    values: [1],
    rejected: "accepted",
    ...parts,
  };
}

/** Columns that the records of a job have. */
export function valueCount({ sumCount, maxCount = 0 }: WindowedJob): number {
  return sumCount + maxCount;
}

/** The records as a decoder would hand them over; the Kafka value of a record names its offset. */
export function columnsOf(records: readonly LoggedRecord[], valueCount = 1): RecordColumns {
  const columns = createColumns(valueCount, Math.max(1, records.length));
  const parts: Buffer[] = [];
  let at = 0;
  const append = (text: string): number => {
    const bytes = Buffer.from(text);
    parts.push(bytes);
    at += bytes.length;
    return bytes.length;
  };
  for (const [row, entry] of records.entries()) {
    const { offset, recordTime, eventTime, key, values, rejected, id = "" } = entry;
    columns.offset[row] = offset;
    columns.recordTime[row] = recordTime;
    columns.eventTime[row] = eventTime;
    columns.rejected[row] = rejectCode(rejected);
    columns.keyStart[row] = at;
    columns.recordKeyStart[row] = at;
    columns.keyLength[row] = append(key);
    columns.recordKeyLength[row] = columns.keyLength[row] ?? 0;
    columns.idStart[row] = at;
    columns.idLength[row] = append(id);
    columns.recordValueStart[row] = at;
    columns.recordValueLength[row] = append(`value ${offset} ${key} ${eventTime}`);
    for (let value = 0; value < valueCount; value++) {
      const column = columns.values[value];
      if (column) column[row] = values[value] ?? 0;
    }
  }
  columns.bytes = Buffer.concat(parts);
  columns.count = records.length;
  return columns;
}
