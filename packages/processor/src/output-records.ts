import { createHash } from "node:crypto";
import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { rejectReasons } from "@adstream/engine/columns";
import type { SetAside } from "@adstream/engine/dead-letters";
import type { TaskOutput } from "@adstream/engine/ports";
import { resultKey, resultStatuses } from "@adstream/engine/results";
import { frame, frameSchemaId } from "@adstream/kafka/wire-format";
import type { Job, ResultRow } from "./job.ts";

/** A record to be published. */
export type OutputRecord = {
  readonly topic: string;
  readonly key: Uint8Array | string;
  readonly value: Uint8Array | null;
  readonly headers?: Record<string, string>;
};

export type OutputTopics = {
  readonly events: string;
  readonly results: string;
  readonly deadLetters: string;
  readonly late: string;
};

/** Above it a dead letter keeps only size and digest of its value (protocol 2.6). */
const maxDeadLetterBytes = 900 * 1024;

/** Encodes result rows of one job; `schemaId` is that of the job's result schema. */
export type ResultEncoder = {
  readonly job: Job;
  readonly schemaId: number;
  readonly encode: (value: object) => Uint8Array;
};

/** Rows `from` to `to` of a task's results as records. Equal versions give equal bytes. */
export function resultRecords(
  { job, schemaId, encode }: ResultEncoder,
  topic: string,
  output: TaskOutput,
  from: number,
  to: number,
): OutputRecord[] {
  const records: OutputRecord[] = [];
  for (let row = from; row < Math.min(to, output.results.count); row++) {
    const result = resultRow(output, row);
    const value = frame(schemaId, encode(job.result(result)));
    records.push({ topic, key: job.resultKey(result), value });
  }
  return records;
}

/** Dead letters and late records with their origin, key and value as they were. */
export function setAsideRecords(topics: OutputTopics, output: TaskOutput): OutputRecord[] {
  const { partition, deadLetters, late } = output;
  return [
    ...deadLetters.map((letter) => setAsideRecord(topics.deadLetters, topics, partition, letter)),
    ...late.map((letter) => setAsideRecord(topics.late, topics, partition, letter)),
  ];
}

function setAsideRecord(
  topic: string,
  topics: OutputTopics,
  partition: number,
  letter: SetAside,
): OutputRecord {
  const { offset, recordTime, key, value, reason } = letter;
  const headers: Record<string, string> = {
    [deadLetterHeaders.topic]: topics.events,
    [deadLetterHeaders.partition]: String(partition),
    [deadLetterHeaders.offset]: String(offset),
    [deadLetterHeaders.timestamp]: String(recordTime),
    [deadLetterHeaders.reason]: reason === 0 ? "late" : (rejectReasons[reason] ?? String(reason)),
  };
  const schemaId = value === null ? -1 : frameSchemaId(value, 0, value.length);
  if (schemaId >= 0) headers[deadLetterHeaders.schemaId] = String(schemaId);
  // Every record needs a key (K2); one without is keyed by where it came from.
  const keyed = key ?? `${topics.events}-${partition}-${offset}`;
  if (value === null || value.length + keyed.length <= maxDeadLetterBytes) {
    return { topic, key: keyed, value, headers };
  }
  headers[deadLetterHeaders.valueBytes] = String(value.length);
  headers[deadLetterHeaders.valueSha256] = createHash("sha256").update(value).digest("hex");
  const shortKey =
    keyed.length > maxDeadLetterBytes ? `${topics.events}-${partition}-${offset}` : keyed;
  return { topic, key: shortKey, value: null, headers };
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function resultRow({ results, partition, jobEpoch }: TaskOutput, row: number): ResultRow {
  return {
    key: utf8.decode(resultKey(results, row)),
    windowStart: results.windowStart[row] ?? 0,
    windowEnd: results.windowEnd[row] ?? 0,
    slot: partition,
    version: (BigInt(jobEpoch) << 48n) | BigInt(results.version[row] ?? 0),
    status: resultStatuses[results.status[row] ?? 0] ?? "early",
    records: results.records[row] ?? 0,
    sums: results.sums.map((column) => column[row] ?? 0),
    maxEventTime: results.maxEventTime[row] ?? 0,
    maxRecordTime: results.maxRecordTime[row] ?? -1,
  };
}
