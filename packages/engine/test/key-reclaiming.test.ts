import { describe, expect, test } from "vitest";
import { Task } from "../src/task.ts";
import { createSeen, drive, see, type Step } from "./drive-task.ts";
import { columnsOf, type LoggedRecord, record } from "./logged-records.ts";
import { batchOracle } from "./oracle.ts";

const job = {
  window: { sizeMs: 60, slideMs: 30 },
  watermarkDelayMs: 10,
  allowedLatenessMs: 25,
  maxFutureMs: 1_000,
  sumCount: 1,
};

/**
 * 20 records a millisecond: most have keys that never come again, one has a key that stays, and one a key that comes back
 * long after its windows expired.
 */
function oneOffKeys(count: number, from = 0): LoggedRecord[] {
  return Array.from({ length: count }, (_, at) => {
    const offset = from + at;
    const time = Math.floor(offset / 20);
    // A few events are old, so that corrections are under way whenever keys are reclaimed.
    const eventTime = 1_000 + time - (offset % 11 === 0 ? 37 : 0);
    return record(offset, { key: keyOf(offset, time), eventTime, values: [offset] });
  });
}

function keyOf(offset: number, time: number): string {
  if (offset % 20 === 7) return `steady ${offset % 3}`;
  return offset % 20 === 3 ? `back ${time % 150}` : `once ${offset}`;
}

describe("keys that come once", () => {
  const log = oneOffKeys(12_000);

  test("are forgotten: results equal the oracle's, and state is equal for every cut", () => {
    const cuts: Step[][] = [
      [],
      Array.from({ length: 120 }, () => ({ do: "apply" as const, records: 100 })),
      Array.from({ length: 90 }, (_, at) =>
        at % 3 === 0 ? { do: "apply", records: 401 } : { do: at % 3 === 1 ? "output" : "restart" },
      ),
    ];
    const runs = cuts.map((steps) => drive(job, log, steps));
    const { results } = batchOracle(
      job,
      log.map((record) => ({ record })),
    );
    for (const { seen, task } of runs) {
      expect(seen.results).toEqual(results);
      expect(Buffer.compare(task.snapshot(), runs[0]?.task.snapshot() ?? new Uint8Array())).toBe(0);
      expect(task.aggregate.keys.count).toBeLessThan(6_000);
    }
  });

  test("have equal state at every prefix, reclaimed or not yet, however the prefix was cut", () => {
    let reclaimed = 0;
    for (let length = 2_000; length < 6_000; length += 197) {
      const prefix = log.slice(0, length);
      const halves: Step[] = [{ do: "apply", records: length >> 1 }, { do: "restart" }];
      const [whole, cut] = [drive(job, prefix, []).task, drive(job, prefix, halves).task];
      expect(Buffer.compare(whole.snapshot(), cut.snapshot())).toBe(0);
      if (whole.aggregate.keys.count < new Set(prefix.map(({ key }) => key)).size) reclaimed++;
    }
    expect(reclaimed).toBeGreaterThan(10);
  });

  test("cost memory for the open windows only, not for history", () => {
    const task = new Task(job, 0, 0);
    const sizes: number[] = [];
    const seen = createSeen();
    for (let from = 0; from < 200_000; from += 10_000) {
      task.apply(columnsOf(oneOffKeys(10_000, from)), from + 10_000);
      const output = task.output(0, true);
      if (from > 180_000) see(seen, output);
      sizes.push(task.aggregate.byteLength);
    }
    expect(Math.max(...sizes.slice(10))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 10)));
    expect(task.aggregate.keys.count).toBeLessThan(8_000);
    expect(seen.results.size).toBeGreaterThan(0);
  });
});

test("keys stay numbered while few are known, so that steady keys are never renumbered", () => {
  const few = Array.from({ length: 1_023 }, (_, at) =>
    record(at, { key: `k${at}`, eventTime: at * 100 }),
  );
  expect(drive(job, few, []).task.aggregate.keys.count).toBe(1_023);
});
