import { resultSchema } from "@adstream/contracts/result-shape";
import { createColumns, type RecordColumns } from "@adstream/engine/columns";
import { Task } from "@adstream/engine/task";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { composeReader } from "@adstream/kafka/avro-columns";
import { createCursor, extendedBytes } from "@adstream/kafka/byte-cursor";
import { valueColumns } from "@adstream/kafka/event-projection";
import { composeJsonReader } from "@adstream/kafka/json-columns";
import { eachRow, type RowsReader } from "@adstream/kafka/value-rows";
import { frameBytes } from "@adstream/kafka/wire-format";
import { readEnvironment } from "@adstream/service/environment";
import { expect, test } from "vitest";
import { environment } from "../src/config.ts";
import type { Job } from "../src/job.ts";
import { jobColumns } from "../src/job-columns.ts";
import { jobIdentity } from "../src/job-identity.ts";
import { resultBytes } from "../src/result-bytes.ts";
import { publishedReader } from "../src/result-history.ts";
import { writtenBytes } from "./fixture/result-columns.ts";

/** A job that nothing outside of this file knows: how late the trains of a line were. */
const delays: Job = {
  name: "delays",
  key: "line",
  eventTime: { field: "arrived", unit: "us" },
  measures: [
    { name: "longest", max: "minutes", from: -60, to: 1_440 },
    { name: "cancelled", count: "state", equals: "cancelled", among: ["ran", "cancelled"] },
    { name: "minutes", sum: "minutes", from: -60, to: 1_440 },
    { name: "passengers", sum: "passengers", from: 0, to: 5_000 },
  ],
  result: {
    record: "Delays",
    doc: "How late the trains of a line were.",
    key: "line",
    figures: [
      { name: "minutes", type: "double", combine: "sum" },
      { name: "passengers", type: "long", combine: "sum" },
      { name: "cancelled", type: "long", combine: "sum" },
      { name: "longest", type: "double", combine: "max" },
    ],
    ratios: [],
  },
};

type Arrival = {
  line: string;
  arrived: number;
  minutes: number;
  state: string;
  passengers: number;
};

const minute = 60_000_000;
const arrivals: readonly Arrival[] = [
  { line: "S1", arrived: minute, minutes: 2.5, state: "ran", passengers: 100 },
  { line: "S3", arrived: minute + 7, minutes: -1, state: "ran", passengers: 20 },
  { line: "S1", arrived: 2 * minute - 1, minutes: 0.25, state: "cancelled", passengers: 0 },
  { line: 'S"2', arrived: 2 * minute, minutes: 4, state: "ran", passengers: 50 },
];

const eventSchema = JSON.stringify({
  type: "record",
  name: "Arrival",
  fields: [
    { name: "state", type: { type: "enum", name: "State", symbols: ["cancelled", "ran"] } },
    { name: "passengers", type: "int" },
    { name: "minutes", type: "double" },
    { name: "line", type: "string" },
    { name: "arrived", type: "long" },
  ],
});

test.each<[string, RowsReader, (arrival: Arrival) => Buffer]>([
  [
    "JSON",
    eachRow(composeJsonReader(jobColumns(delays).projection)),
    (arrival) => Buffer.from(JSON.stringify(arrival)),
  ],
  [
    "Avro",
    composeReader(eventSchema, jobColumns(delays).projection).rows,
    (arrival) => avroCodec(eventSchema).encode(arrival),
  ],
])("a third job counts events of %s, with nothing but its definition", (_, reader, encode) => {
  const env = { WINDOW_SIZE: "1m", WINDOW_SLIDE: "1m" };
  const config = readEnvironment(environment, { env, file: null });
  const { windowed } = jobIdentity(delays, config, async () => 0);
  const before = new Task(windowed, 3, 0);
  before.apply(columnsOf(arrivals.slice(0, 2).map(encode), reader), 2);
  const task = Task.restore(windowed, 3, before.snapshot());
  task.apply(columnsOf(arrivals.slice(2).map(encode), reader, 2), 4);
  const output = task.output(0, false);
  const write = resultBytes(delays, 7);
  const values = Array.from({ length: output.results.count }, (__, row) =>
    writtenBytes(write(output, row)).value.subarray(frameBytes),
  );
  const published = publishedReader(delays);
  expect(values.map((value) => published(value)?.key)).toEqual(["S1", 'S"2']);
  const { decode } = avroCodec(resultSchema(delays.result));
  expect(values.map((value) => decode(value))).toEqual([
    expect.objectContaining({
      line: "S1",
      window_start: 60_000,
      count: 2,
      minutes: 2.75,
      passengers: 100,
      cancelled: 1,
      longest: 2.5,
    }),
    expect.objectContaining({
      line: 'S"2',
      window_start: 120_000,
      count: 1,
      minutes: 4,
      longest: 4,
    }),
  ]);
});

/** What is read of the values, as a source hands it over. */
function columnsOf(values: readonly Buffer[], read: RowsReader, firstOffset = 0): RecordColumns {
  const { projection } = jobColumns(delays);
  const columns = createColumns(valueColumns(projection), values.length);
  const cursor = createCursor(Buffer.concat(values));
  let start = 0;
  for (const [row, value] of values.entries()) {
    columns.unread[row] = start;
    start += value.length;
    columns.unreadEnd[row] = start;
    columns.offset[row] = firstOffset + row;
    columns.recordTime[row] = -1;
    columns.recordKeyLength[row] = -1;
    columns.recordValueLength[row] = -1;
  }
  columns.count = values.length;
  read(cursor, columns, 0, columns.count);
  expect(columns.rejected.every((reason) => reason === 0)).toBe(true);
  columns.bytes = extendedBytes(cursor);
  return columns;
}
