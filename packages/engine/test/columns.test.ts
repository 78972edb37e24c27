import { describe, expect, test } from "vitest";
import { createColumns, dropFirstRow, rejectCode, reserveColumns } from "../src/columns.ts";
import { columnsOf, record } from "./logged-records.ts";

const three = [
  record(7, { eventTime: 70, key: "seven", values: [1, 10] }),
  record(8, {
    eventTime: 80,
    recordTime: 81,
    key: "ei",
    values: [2, 20],
    rejected: "wrong magic byte",
  }),
  record(11, { eventTime: 90, key: "eleven", values: [3, 30] }),
];

describe("record columns", () => {
  test("without their first row hold the others, in every column", () => {
    const columns = columnsOf(three, 2);
    const before = columnsOf(three, 2);
    dropFirstRow(columns);
    expect(columns.count).toBe(2);
    const rows = (all: typeof columns, from: number): number[][] =>
      [
        all.offset,
        all.recordTime,
        all.rejected,
        all.eventTime,
        all.keyStart,
        all.keyLength,
        all.idStart,
        all.idLength,
        all.recordKeyStart,
        all.recordKeyLength,
        all.recordValueStart,
        all.recordValueLength,
        ...all.values,
      ].map((column) => Array.from(column.subarray(from, from + 2)));
    expect(rows(columns, 0)).toEqual(rows(before, 1));
    // But for two that are a decoder's own, with `values`, `bytes` and the count.
    expect(Object.keys(columns)).toHaveLength(rows(columns, 0).length - 2 + 3 + 2);
    expect(columns.bytes).toEqual(before.bytes);
  });

  test("of one row become empty", () => {
    const columns = columnsOf(three.slice(0, 1), 2);
    dropFirstRow(columns);
    expect(columns.count).toBe(0);
  });

  test("grow to what is asked for and keep the number of values", () => {
    const columns = createColumns(3, 4);
    reserveColumns(columns, 4);
    expect(columns.offset.length).toBe(4);
    reserveColumns(columns, 5);
    expect(columns.offset.length).toBe(8);
    reserveColumns(columns, 100);
    expect(columns.recordValueLength.length).toBe(100);
    expect(columns.values.map((column) => column.length)).toEqual([100, 100, 100]);
  });
});

test("the numbers of reject reasons never change", () => {
  expect(rejectCode("accepted")).toBe(0);
  expect(rejectCode("unknown schema id")).toBe(4);
  expect(rejectCode("event time ahead of the record")).toBe(14);
  expect(rejectCode("event id not UTF-8")).toBe(16);
  expect(rejectCode("too many keys")).toBe(17);
});
