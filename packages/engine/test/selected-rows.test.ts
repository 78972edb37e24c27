import { expect, test } from "vitest";
import { cell } from "../src/pane.ts";
import { Task } from "../src/task.ts";
import { columnsOf, record } from "./logged-records.ts";

const job = {
  window: { sizeMs: 60, slideMs: 30 },
  watermarkDelayMs: 1_000,
  allowedLatenessMs: 0,
  maxFutureMs: 10_000,
  sumCount: 1,
  maxCount: 1,
};

type Event = { readonly key: string; readonly eventTime: number; readonly values: number[] };

/** Of each pane and key: records, sum, maximum, and the offset + 1 of the last of them. */
function folded(events: readonly Event[]): Map<string, number[]> {
  const cells = new Map<string, number[]>();
  for (const [offset, { key, eventTime, values }] of events.entries()) {
    const [sum = 0, max = 0] = values;
    const name = `${Math.floor(eventTime / 30) * 30} ${key}`;
    const [records = 0, total = 0, highest = Number.NEGATIVE_INFINITY] = cells.get(name) ?? [];
    cells.set(name, [records + 1, total + sum, Math.max(highest, max), offset + 1]);
  }
  return cells;
}

function cellsOf({ aggregate }: Task): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { start, count, keys, cells, stride } of aggregate.panes.values()) {
    for (let at = 0; at < count; at++) {
      const key = Buffer.from(aggregate.keys.key(keys[at] ?? 0)).toString();
      const columns = [cell.records, cell.values, cell.values + 1, cell.changed];
      found.set(
        `${start} ${key}`,
        columns.map((column) => cells[at * stride + column] ?? 0),
      );
    }
  }
  return found;
}

test.each<[string, (at: number) => number]>([
  ["one pane", () => 5],
  ["one pane, then the next", (at) => (at < 450 ? 5 : 35)],
  ["two panes that alternate", (at) => (at % 2 === 0 ? 5 : 35)],
  ["three panes in turns", (at) => (at % 3) * 30],
  ["many panes, in no order", (at) => (at * 7_919) % 600],
])("rows of %s are all counted once, beyond those that are looked at together", (_, timeOf) => {
  const events = Array.from({ length: 900 }, (__, at) => ({
    key: `ad ${at % 7}`,
    eventTime: timeOf(at),
    values: [at, (at * 31) % 1_000],
  }));
  const task = new Task(job, 0, 0);
  const rows = events.map((event, at) => record(at, event));
  task.apply(columnsOf(rows.slice(0, 300), 2), 300);
  task.apply(columnsOf(rows.slice(300), 2), 900);
  expect(cellsOf(task)).toEqual(folded(events));
});
