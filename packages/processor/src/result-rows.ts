import { documentId } from "@adstream/contracts/documents";
import { type Result, resultSchema } from "@adstream/contracts/result-shape";
import type { ResultStatus } from "@adstream/engine/results";
import { avroCodec } from "@adstream/kafka/avro-codec";
import type { Job } from "./job.ts";
import { jobColumns } from "./job-columns.ts";

/** One result row, with names instead of columns. */
export type ResultRow = {
  readonly key: string;
  /** Epoch ms, like every time here. */
  readonly windowStart: number;
  readonly windowEnd: number;
  /** Source partition. */
  readonly slot: number;
  readonly version: bigint;
  readonly status: ResultStatus;
  readonly records: number;
  /** In the order of the job's columns. */
  readonly sums: readonly number[];
  readonly maxima: readonly number[];
  readonly maxEventTime: number;
  readonly maxRecordTime: number;
};

/** What a look back needs to know of a result: where it belongs, and its version. */
export type PublishedResult = Pick<
  ResultRow,
  "key" | "windowStart" | "windowEnd" | "slot" | "version"
>;

/** Key of a result on the results topic; results of one document share it. */
export function resultKey({ key, windowStart }: ResultRow): string {
  return documentId(windowStart, key);
}

/** Composes what turns a row of a job into the value that the schema of its results encodes. */
export function resultWriter(job: Job): (row: ResultRow) => Result {
  const { sums, maxima } = jobColumns(job);
  const keyField = job.result.key;
  return (row) => {
    const result: Record<string, string | number | bigint> = {};
    for (const [at, name] of sums.entries()) result[name] = row.sums[at] ?? 0;
    for (const [at, name] of maxima.entries()) result[name] = row.maxima[at] ?? 0;
    return {
      [keyField]: row.key,
      window_start: row.windowStart,
      window_end: row.windowEnd,
      slot: row.slot,
      version: row.version,
      status: row.status,
      count: row.records,
      ...result,
      max_event_time: row.maxEventTime,
      max_record_time: row.maxRecordTime,
    };
  };
}

/**
 * Composes what reads the job's results back.
 *
 * @returns undefined for what is no result; it may throw {StreamError} VALUE_UNREADABLE as well
 */
export function publishedReader({
  result,
}: Job): (payload: Uint8Array) => PublishedResult | undefined {
  const { decode } = avroCodec(resultSchema(result), { bigintFields: ["version"] });
  return (payload) => {
    const { [result.key]: key, ...rest } = Object(decode(payload));
    const { window_start, window_end, slot, version } = rest;
    if (typeof key !== "string" || typeof version !== "bigint") return undefined;
    const [windowStart, windowEnd] = [Number(window_start), Number(window_end)];
    return { key, windowStart, windowEnd, slot: Number(slot), version };
  };
}
