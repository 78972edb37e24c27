import { expect, test } from "vitest";
import { adStats } from "../src/jobs/ad-stats.ts";
import { resultBytes } from "../src/result-bytes.ts";
import { publishedReader, resultHistory } from "../src/result-history.ts";
import { resultColumns, type ResultRow, writtenBytes } from "./fixture/result-columns.ts";

const write = resultBytes(adStats, 7);

function published(
  jobEpoch: number,
  version: number,
  { slot = 3, ...parts }: Partial<ResultRow> & { slot?: number } = {},
): Buffer {
  const row: ResultRow = {
    key: "ad",
    windowStart: 60_000,
    windowEnd: 120_000,
    version,
    status: 0,
    records: 1,
    sums: [1, 2, 3],
    maxima: [],
    maxEventTime: 70_000,
    maxRecordTime: -1,
    ...parts,
  };
  const results = resultColumns([row]);
  const output = { partition: slot, jobEpoch, results, deadLetters: [], late: [] };
  return writtenBytes(write(output, 0)).value;
}

function historyOf(values: readonly (Buffer | null)[], complete = true) {
  const asked: number[] = [];
  const history = resultHistory(async (sinceMs, each) => {
    asked.push(sinceMs);
    await Promise.resolve();
    for (const value of values) each(value);
    return complete;
  }, publishedReader(adStats));
  return { history, asked };
}

test("what was published behind the turn is named once: of the slot, of lower epochs, above the cut", async () => {
  const { history, asked } = historyOf([
    published(1, 20, { key: "at the cut" }),
    published(1, 22, { key: "é behind" }),
    published(1, 24, { key: "é behind" }),
    published(0, 900, { key: "of an older epoch" }),
    published(2, 30, { key: "of our epoch" }),
    published(1, 24, { key: "elsewhere", slot: 4 }),
  ]);
  const wanted = { sinceMs: 5, belowEpoch: 2, above: 20 };
  const { slots, complete } = await history.published(3, wanted);
  expect(asked).toEqual([5]);
  expect(complete).toBe(true);
  expect(slots.map(({ key, ...slot }) => ({ ...slot, key: String(key) }))).toEqual([
    { key: "é behind", windowStart: 60_000, windowEnd: 120_000 },
    { key: "of an older epoch", windowStart: 60_000, windowEnd: 120_000 },
  ]);
});

test.each([
  ["retention removed some", [published(0, 2)], false],
  ["one of them cannot be read", [published(0, 2), Buffer.from("not Avro")], true],
  ["one of them is empty", [null], true],
])("it is not complete when %s", async (_, values, complete) => {
  const { history } = historyOf(values, complete);
  const wanted = { sinceMs: 0, belowEpoch: 1, above: 0 };
  expect(await history.published(3, wanted)).toMatchObject({ complete: false });
});

test("the newest epoch is the highest of the slot, and tasks that ask together share a reading", async () => {
  const values = [published(4, 2), published(32_767, 2), published(2, 9, { slot: 4 })];
  const { history, asked } = historyOf(values);
  const newest = await Promise.all([3, 4, 5].map((slot) => history.newestEpoch(slot)));
  expect(newest.map(({ epoch }) => epoch)).toEqual([32_767, 2, undefined]);
  expect(asked).toEqual([0]);
  await history.newestEpoch(3);
  expect(asked).toEqual([0, 0]);
});
