import { expect, test } from "vitest";
import { setAside } from "../src/dead-letters.ts";
import { columnsOf, record } from "./logged-records.ts";

const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString();

test("a record set aside keeps its own copy of key and value, where it lay and why", () => {
  const columns = columnsOf([record(3), record(9, { eventTime: 5, recordTime: -1, key: "bb" })]);
  const aside = setAside(columns, 1, 4);
  columns.bytes.fill(0);
  expect(aside).toMatchObject({ offset: 9, recordTime: -1, reason: 4 });
  expect([text(aside.key), text(aside.value)]).toEqual(["bb", "value 9 bb 5"]);
});

test("what is null stays null, and what is empty stays empty", () => {
  const columns = columnsOf([record(3)]);
  columns.recordKeyLength[0] = -1;
  columns.recordValueLength[0] = 0;
  const { key, value } = setAside(columns, 0, 0);
  expect([key, value?.length]).toEqual([null, 0]);
});

test("the copy is no view of a larger buffer, which would keep a whole fetch in memory", () => {
  const columns = columnsOf([record(3)]);
  const { value } = setAside(columns, 0, 0);
  expect(value?.buffer.byteLength).toBe(value?.length);
});
