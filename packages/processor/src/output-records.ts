import { rejectReasons } from "@adstream/engine/columns";
import type { SetAside } from "@adstream/engine/dead-letters";
import type { TaskOutput } from "@adstream/engine/ports";
import { resultKey as keyOf, resultStatuses } from "@adstream/engine/results";
import { deadLetterRecord } from "@adstream/kafka/dead-letter-record";
import { frame } from "@adstream/kafka/wire-format";
import type { Job } from "./job.ts";
import { resultKey, type ResultRow, resultWriter } from "./result-rows.ts";

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
  const written = resultWriter(job);
  for (let row = from; row < Math.min(to, output.results.count); row++) {
    const result = resultRow(output, row);
    const value = frame(schemaId, encode(written(result)));
    records.push({ topic, key: resultKey(result), value });
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
  const { offset, recordTime: timestamp, key, value } = letter;
  const reason =
    letter.reason === 0 ? "late" : (rejectReasons[letter.reason] ?? String(letter.reason));
  const origin = { topic: topics.events, partition, offset, timestamp };
  return deadLetterRecord(topic, { ...origin, key, value, reason });
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function resultRow({ results, partition, jobEpoch }: TaskOutput, row: number): ResultRow {
  return {
    key: utf8.decode(keyOf(results, row)),
    windowStart: results.windowStart[row] ?? 0,
    windowEnd: results.windowEnd[row] ?? 0,
    slot: partition,
    version: (BigInt(jobEpoch) << 48n) | BigInt(results.version[row] ?? 0),
    status: resultStatuses[results.status[row] ?? 0] ?? "early",
    records: results.records[row] ?? 0,
    sums: results.sums.map((column) => column[row] ?? 0),
    maxima: results.maxima.map((column) => column[row] ?? 0),
    maxEventTime: results.maxEventTime[row] ?? 0,
    maxRecordTime: results.maxRecordTime[row] ?? -1,
  };
}
