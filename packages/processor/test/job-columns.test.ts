import { resultSchema } from "@adstream/contracts/result-shape";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frameBytes } from "@adstream/kafka/wire-format";
import { expect, test } from "vitest";
import type { Job, Measure } from "../src/job.ts";
import { jobColumns } from "../src/job-columns.ts";
import { resultBytes } from "../src/result-bytes.ts";
import { resultColumns, writtenBytes } from "./fixture/result-columns.ts";

const among = ["a", "b", "c"];
const measures: readonly Measure[] = [
  { name: "top", max: "x", from: 0, to: 9 },
  { name: "b_s", count: "kind", equals: "b", among },
  { name: "total", sum: "y", from: -1, to: 1 },
  { name: "parts", sum: "z", from: 0, to: 5 },
  { name: "small", count: "size", equals: "s", among: ["s", "l"] },
  { name: "a_s", count: "kind", equals: "a", among },
];
const job: Job = {
  name: "test",
  key: "who",
  eventTime: { field: "at", unit: "us" },
  measures,
  result: {
    record: "Test",
    doc: "",
    key: "who",
    figures: [
      { name: "a_s", type: "long", combine: "sum" },
      { name: "b_s", type: "long", combine: "sum" },
      { name: "small", type: "long", combine: "sum" },
      { name: "total", type: "double", combine: "sum" },
      { name: "parts", type: "long", combine: "sum" },
      { name: "top", type: "double", combine: "max" },
    ],
    ratios: [],
  },
};

test("sums come first, then counts by their fields, then maxima, in whatever order measures are named", () => {
  expect(jobColumns(job)).toEqual({
    projection: {
      key: "who",
      eventTime: "at",
      eventTimeUnit: "us",
      numbers: [
        { field: "y", min: -1, max: 1 },
        { field: "z", min: 0, max: 5 },
      ],
      categories: [
        { field: "kind", allowed: among, counted: ["b", "a"] },
        { field: "size", allowed: ["s", "l"], counted: ["s"] },
      ],
      maxima: [{ field: "x", min: 0, max: 9 }],
      whole: ["z"],
    },
    sums: ["total", "parts", "b_s", "a_s", "small"],
    maxima: ["top"],
  });
});

test("a result has its figures by name, wherever their columns are", () => {
  const results = resultColumns([
    {
      key: "k",
      windowStart: 60_000,
      windowEnd: 120_000,
      version: 5,
      status: 0,
      records: 4,
      sums: [0.5, 6, 3, 1, 2],
      maxima: [7],
      maxEventTime: 61_000,
      maxRecordTime: -1,
    },
  ]);
  const output = { partition: 2, jobEpoch: 0, results, deadLetters: [], late: [] };
  const { value } = writtenBytes(resultBytes(job, 7)(output, 0));
  expect(avroCodec(resultSchema(job.result)).decode(value.subarray(frameBytes))).toEqual({
    who: "k",
    window_start: 60_000,
    window_end: 120_000,
    slot: 2,
    version: 5,
    status: "early",
    count: 4,
    total: 0.5,
    parts: 6,
    b_s: 3,
    a_s: 1,
    small: 2,
    top: 7,
    max_event_time: 61_000,
    max_record_time: -1,
  });
});

test.each<[string, readonly Measure[], RegExp]>([
  ["a figure that nothing computes", measures.slice(1), /figures of Test that are a max/],
  ["a measure twice", [...measures, ...measures.slice(2, 3)], /that are a sum/],
  [
    "two opinions of what a field may hold",
    [...measures.slice(0, 5), { name: "a_s", count: "kind", equals: "a", among: ["a"] }],
    /what kind may hold, as a_s has it/,
  ],
  [
    "a count of what a field may not hold",
    [...measures.slice(0, 5), { name: "a_s", count: "kind", equals: "d", among }],
    /a_s counts what kind may hold/,
  ],
])("%s is no job", (_, wrong, message) => {
  expect(() => jobColumns({ ...job, measures: wrong })).toThrow(message);
});
