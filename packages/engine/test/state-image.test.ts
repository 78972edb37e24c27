import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packColumns } from "../src/byte-layout.ts";
import { viewOf } from "../src/key-dictionary.ts";
import { cell } from "../src/pane.ts";
import { PaneImage } from "../src/pane-image.ts";
import { StateImage } from "../src/state-image.ts";
import { Task } from "../src/task.ts";
import type { WindowedJob } from "../src/windowed-job.ts";
import { arbitraryJob, arbitraryLog } from "./arbitrary-log.ts";
import { columnsOf, type LoggedRecord, record, valueCount } from "./logged-records.ts";

const job: WindowedJob = {
  window: { sizeMs: 60, slideMs: 30 },
  watermarkDelayMs: 10,
  allowedLatenessMs: 0,
  maxFutureMs: 1_000,
  sumCount: 1,
};

/** One look at a task: how many records come before it, and whether windows close by decision there. */
const looks = fc.array(
  fc.record({ records: fc.nat(12), quietMs: fc.option(fc.nat(300), { nil: undefined }) }),
  { minLength: 2, maxLength: 12 },
);

/** A task that got the log in pieces, and at each look what changed since the one before; undefined: cannot be told. */
function* watched(
  by: WindowedJob,
  log: readonly LoggedRecord[],
  cuts: readonly { readonly records: number; readonly quietMs?: number | undefined }[],
): Generator<{ task: Task; delta: Uint8Array | undefined }> {
  const task = new Task(by, 0, log[0]?.offset ?? 0);
  let next = 0;
  let mark = task.mark;
  for (const { records, quietMs } of cuts) {
    const batch = log.slice(next, next + records);
    next += batch.length;
    const nextOffset = (batch.at(-1)?.offset ?? task.nextOffset - 1) + 1;
    task.apply(columnsOf(batch, valueCount(by)), nextOffset);
    if (quietMs !== undefined) {
      const watermark = task.aggregate.decidable(task.highestRecordTime + quietMs);
      if (watermark !== undefined) task.decide(watermark);
    }
    task.output(0, false);
    yield { task, delta: task.delta(mark) };
    mark = task.mark;
  }
}

function named(log: readonly LoggedRecord[]): LoggedRecord[] {
  return log.map((entry) => ({ ...entry, id: `event ${Math.abs(entry.eventTime) % 37}` }));
}

describe("a state and the deltas after it", () => {
  test("make the very bytes of a whole snapshot, whatever was applied and decided between", () => {
    let deltas = 0;
    // Panes as long as the log, too: there cells change again and again.
    const wide = { ...job, window: { sizeMs: 20_000, slideMs: 10_000 }, sumCount: 2 };
    const jobs = fc.oneof(arbitraryJob(), fc.constant(wide));
    fc.assert(
      fc.property(jobs, arbitraryLog(), looks, fc.boolean(), (any, log, cuts, ids) => {
        const deduplicate = { horizonMs: 200, maxIds: 1_000 };
        const by = ids ? { ...any, deduplicate } : any;
        const image = StateImage.of(new Task(by, 0, log[0]?.offset ?? 0).snapshot());
        for (const { task, delta } of watched(by, ids ? named(log) : log, cuts)) {
          if (delta === undefined) return;
          deltas++;
          image.apply(delta);
          expect(Buffer.compare(image.pack(), task.snapshot())).toBe(0);
        }
      }),
    );
    expect(deltas).toBeGreaterThan(100);
  });

  test("cost bytes for what changed, not for what there is", () => {
    const all = Array.from({ length: 5_000 }, (_, at) => record(at, { key: `ad ${at}` }));
    const few = [7, 4_321, 5_000].map((key, at) => record(5_000 + at, { key: `ad ${key}` }));
    const [whole, changed] = watched(job, [...all, ...few], [{ records: 5_000 }, { records: 3 }]);
    expect(whole?.delta?.length).toBeGreaterThan(5_000 * 40);
    expect(changed?.delta?.length).toBeLessThan(600);
  });

  test("have nothing in common once keys were renumbered", () => {
    const log = [
      ...Array.from({ length: 2_000 }, (_, at) => record(at, { key: `once ${at}`, eventTime: 1 })),
      record(2_000, { key: "last", eventTime: 500 }),
    ];
    const seen = [...watched(job, log, [{ records: 2_000 }, { records: 1 }])];
    expect(seen.map(({ delta }) => delta === undefined)).toEqual([false, true]);
  });

  test("have nothing in common once event ids were given back", () => {
    const by = { ...job, deduplicate: { horizonMs: 80, maxIds: 100_000 } };
    const log = Array.from({ length: 9_000 }, (_, at) =>
      record(at, { key: "a", eventTime: at >> 4, recordTime: at >> 4, id: `e ${at}` }),
    );
    const seen = [...watched(by, log, [{ records: 4_000 }, { records: 90 }, { records: 4_910 }])];
    expect(seen.map(({ delta }) => delta === undefined)).toEqual([false, false, true]);
  });
});

describe("a delta is refused", () => {
  const log = Array.from({ length: 60 }, (_, at) =>
    record(at, { key: `ad ${at % 7}`, eventTime: at * 2, recordTime: at * 2, values: [at] }),
  );
  const cuts = [{ records: 20 }, { records: 20 }, { records: 20 }];
  const [first, second, third] = [...watched(job, log, cuts)].map(({ delta }) => delta!);
  const begun = new Task(job, 0, 0).snapshot();

  test("on another state than the one it was taken from", () => {
    const image = StateImage.of(begun);
    expect(() => image.apply(second!)).toThrow("contradicts itself");
    const twice = StateImage.of(begun);
    twice.apply(first!);
    expect(() => twice.apply(first!)).toThrow("contradicts itself");
    const skipped = StateImage.of(begun);
    skipped.apply(first!);
    expect(() => skipped.apply(third!)).toThrow("contradicts itself");
  });

  test("when a cell changed that it does not name", () => {
    const task = new Task(job, 0, 0);
    task.apply(columnsOf(log.slice(0, 20)), 20);
    const image = StateImage.of(task.snapshot());
    const { mark } = task;
    const pane = [...task.aggregate.panes.values()][0]!;
    task.apply(columnsOf(log.slice(20, 22)), 22);
    // As if it had not said at which offset it changed.
    const changed = pane.find(task.aggregate.keys.idOf(viewOf(Buffer.from("ad 6")), 0, 4));
    pane.cells[changed * pane.stride + cell.changed] = 1;
    expect(() => image.apply(task.delta(mark)!)).toThrow("a pane and its delta");
  });

  test("that changes cells the pane does not have", () => {
    const pane = new PaneImage();
    pane.append(Int32Array.of(3, 5), Float64Array.of(1, 2, 3, 4));
    for (const row of [-1, 2]) {
      const change = (): void => pane.change(2, Int32Array.of(row), Float64Array.of(9, 9));
      expect(change).toThrow("a changed cell of a pane");
    }
  });

  test("as a state, and a state as a delta", () => {
    expect(() => Task.restore(job, 0, first!)).toThrow("the number of scalars");
    expect(() => StateImage.of(begun).apply(begun)).toThrow("the number of scalars");
    expect(() => StateImage.of(packColumns([]))).toThrow("a column is missing");
  });
});
