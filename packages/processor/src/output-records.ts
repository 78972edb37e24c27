import { resultSchema } from "@adstream/contracts/result-shape";
import { rejectReasons } from "@adstream/engine/columns";
import type { SetAside } from "@adstream/engine/dead-letters";
import type { TaskOutput } from "@adstream/engine/ports";
import { resultKey as keyOf, resultStatuses } from "@adstream/engine/results";
import { deadLetterRecord } from "@adstream/kafka/dead-letter-record";
import { type AvroCodec, avroCodec } from "@adstream/kafka/avro-codec";
import { writeFrame } from "@adstream/kafka/wire-format";
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
export type ResultEncoder = Pick<AvroCodec, "encodeInto"> & {
  readonly schemaId: number;
  readonly written: ReturnType<typeof resultWriter>;
};

/** Far more than a result takes, a key of 256 bytes included. */
const valueRoom = Buffer.allocUnsafe(64 * 1024);
const keyRoom = Buffer.allocUnsafe(4 * 1024);

export function resultEncoder(job: Job, schemaId: number): ResultEncoder {
  const { encodeInto } = avroCodec(resultSchema(job.result));
  return { schemaId, encodeInto, written: resultWriter(job) };
}

/**
 * Row `row` of a task's results as a record; equal versions give equal bytes. The next call writes over the arrays.
 * @throws {StreamError} VALUE_UNREADABLE when the result does not fit the schema
 */
export function resultRecord(
  { schemaId, encodeInto, written }: ResultEncoder,
  output: TaskOutput,
  row: number,
): { readonly key: Uint8Array; readonly value: Uint8Array } {
  const result = resultRow(output, row);
  const end = encodeInto(written(result), valueRoom, writeFrame(valueRoom, schemaId));
  const keyBytes = keyRoom.write(resultKey(result));
  return { key: keyRoom.subarray(0, keyBytes), value: valueRoom.subarray(0, end) };
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
