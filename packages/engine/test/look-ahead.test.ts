import { expect, test } from "vitest";
import { refusedKey, viewOf } from "../src/key-dictionary.ts";
import { fromKeys, LookAhead } from "../src/look-ahead.ts";
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
  expect(known.count).toBeGreaterThan(fromKeys);
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

test("keys that are given other ids among rows that were looked up are looked up again", () => {
  const keys = fromKeys + 500;
  const [old, kept] = [(at: number) => `old ${at}`, (at: number) => `kept ${at}`];
  // The older keys have the lower ids, and go when their pane does: within the last batch, in the middle of rows looked at.
  const fill = [
    ...Array.from({ length: keys }, (_, at) => record(at, { key: old(at), eventTime: 0 })),
    ...Array.from({ length: 300 }, (_, at) => record(keys + at, { key: kept(at), eventTime: 60 })),
  ];
  const last = Array.from({ length: 200 }, (_, at) =>
    record(fill.length + at, { key: kept(at), eventTime: at < 100 ? 60 : 105 }),
  );
  const task = new Task(job, 0, 0);
  task.apply(columnsOf(fill), fill.length);
  task.apply(columnsOf(last), fill.length + last.length);
  const { panes, keys: known } = task.aggregate;
  expect(known.renumberings).toBe(1);
  const counted = [...panes.values()].flatMap(({ start, keys: ids, cells, stride, count }) =>
    Array.from({ length: count }, (_, at) => {
      const key = Buffer.from(known.key(ids[at] ?? 0)).toString();
      return [`${start} ${key}`, cells[at * stride]] as const;
    }),
  );
  expect(new Map(counted)).toEqual(
    new Map([
      ...Array.from({ length: 300 }, (_, at) => [`60 ${kept(at)}`, at < 100 ? 2 : 1] as const),
      ...Array.from({ length: 100 }, (_, at) => [`90 ${kept(100 + at)}`, 1] as const),
    ]),
  );
});

test("a rejected row has no key to be hashed, and the next batch nothing of the last", () => {
  const ahead = new LookAhead();
  const { keys } = new Task(job, 0, 0).aggregate;
  const many = columnsOf(
    Array.from({ length: fromKeys }, (_, at) => record(at, { key: `key ${at}` })),
  );
  const prepared = (...rows: [key: string, rejected?: "short frame"][]): number[] => {
    const columns = columnsOf(
      rows.map(([key, rejected = "accepted" as const], at) => record(at, { key, rejected })),
    );
    for (const [row, [, rejected]] of rows.entries()) {
      if (rejected !== undefined) columns.keyStart[row] = 1e9;
    }
    ahead.prepare(columns, 0, keys, undefined);
    return rows.flatMap(([, rejected], row) =>
      rejected === undefined ? [ahead.idOf(viewOf(columns.bytes), columns, 0, row, keys, 0)] : [],
    );
  };
  expect(prepared(["key 7"])).toEqual([refusedKey]);
  for (let row = 0; row < many.count; row++) {
    keys.idOf(viewOf(many.bytes), many.keyStart[row] ?? 0, many.keyLength[row] ?? 0);
  }
  expect(prepared(["key 7"], ["key 8", "short frame"], ["key 9"])).toEqual([7, 9]);
  expect(prepared(["key 10"], ["new"])).toEqual([10, refusedKey]);
  // Once most of them are gone nothing is left of what was prepared.
  keys.retain(Uint8Array.from({ length: fromKeys }, (_, id) => Number(id === 10)));
  expect(prepared(["key 10"], ["key 9"])).toEqual([0, refusedKey]);
});
