import { expect, test } from "vitest";
import { LookAhead } from "../src/look-ahead.ts";
import { Task } from "../src/task.ts";
import { columnsOf, record } from "./logged-records.ts";

const job = {
  window: { sizeMs: 60, slideMs: 30 },
  watermarkDelayMs: 10,
  allowedLatenessMs: 0,
  maxFutureMs: 1_000,
  sumCount: 1,
};

test("fetching what many keys will touch changes no state, whatever it guesses", () => {
  const keys = 20_000;
  // Bad ones among them: the hash of a row is found by its place in the batch.
  const log = Array.from({ length: 3 * keys }, (_, at) =>
    record(at, {
      key: `ad ${(at * 7_919) % keys}`,
      eventTime: at >> 9,
      values: [at],
      rejected: at % 149 === 13 ? "short frame" : "accepted",
    }),
  );
  const [whole, cut] = [new Task(job, 0, 0), new Task(job, 0, 0)];
  whole.apply(columnsOf(log), log.length);
  for (let at = 0; at < log.length; at += 701) {
    const batch = log.slice(at, at + 701);
    cut.apply(columnsOf(batch), at + batch.length);
  }
  expect(Buffer.compare(whole.snapshot(), cut.snapshot())).toBe(0);
  const { panes, keys: known } = whole.aggregate;
  expect(known.count).toBeGreaterThan(16_384);
  for (const pane of panes.values()) {
    const counted = log.filter(
      ({ eventTime, rejected }) =>
        rejected === "accepted" && Math.floor(eventTime / 30) * 30 === pane.start,
    );
    const records = pane.cells.subarray(0, pane.count * pane.stride);
    const sum = records.filter((_, at) => at % pane.stride === 0).reduce((a, b) => a + b, 0);
    expect(sum).toBe(counted.length);
  }
});

test("a rejected row has no key to be hashed, and the next batch none of the last", () => {
  const ahead = new LookAhead();
  const { aggregate } = new Task(job, 0, 0);
  const rows = [record(0, { key: "a" }), record(1, { key: "b", rejected: "short frame" })];
  ahead.prepare(columnsOf(rows), 0, aggregate.keys, undefined);
  const [first] = ahead.hashes;
  expect(ahead.hashes[1]).toBe(0);
  ahead.prepare(columnsOf([record(2, { key: "c" })]), 0, aggregate.keys, undefined);
  expect(ahead.hashes[0]).not.toBe(first);
});
