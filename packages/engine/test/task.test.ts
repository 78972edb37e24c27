import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Task } from "../src/task.ts";
import type { WindowedJob } from "../src/windowed-job.ts";
import { arbitraryJob, arbitraryLog, arbitraryQuiet, arbitrarySteps } from "./arbitrary-log.ts";
import { columnsOf, valueCount } from "./logged-records.ts";
import { createSeen, drive, rowsOf, see, type Seen, type Step } from "./drive-task.ts";
import { batchOracle, type OracleEntry, type OracleOutcome } from "./oracle.ts";

const numRuns = 1_000;
const recordByRecord: Step[] = Array.from({ length: 200 }, () => ({ do: "apply", records: 1 }));

describe("a task, for any window, delay, lateness and disorder,", () => {
  test("ends with the results, late and dead records of the batch oracle", () => {
    fc.assert(
      fc.property(arbitraryJob(), arbitraryLog(), arbitrarySteps, (job, log, steps) => {
        const { seen, entries } = drive(job, log, steps);
        expectTold(seen, batchOracle(job, entries));
      }),
      { numRuns },
    );
  });

  test("has equal state bytes however the log is cut into batches and whenever results are taken", () => {
    fc.assert(
      fc.property(arbitraryJob(), arbitraryLog(), arbitrarySteps, (job, log, steps) => {
        const cut = drive(job, log, steps);
        const single = drive(job, log, recordByRecord);
        const whole = drive(job, log, []);
        expect(cut.task.snapshot()).toEqual(single.task.snapshot());
        expect(whole.task.snapshot()).toEqual(single.task.snapshot());
        expect(cut.seen.results).toEqual(single.seen.results);
        expect(whole.seen.results).toEqual(single.seen.results);
      }),
      { numRuns },
    );
  });

  test("goes on from a snapshot as if it had never stopped", () => {
    const at = fc.nat(60);
    fc.assert(
      fc.property(arbitraryJob(), arbitraryLog(), at, at, (job, log, first, second) => {
        const through = drive(job, log, [{ do: "apply", records: first }, { do: "output" }]);
        const stops: Step[] = [
          { do: "apply", records: first },
          { do: "restart" },
          { do: "restart" },
          { do: "apply", records: second },
          { do: "restart" },
        ];
        const stopped = drive(job, log, stops);
        expect(stopped.task.snapshot()).toEqual(through.task.snapshot());
        expect(stopped.seen.results).toEqual(through.seen.results);
        expect(stopped.task.counts).toEqual(through.task.counts);
      }),
      { numRuns },
    );
  });

  test("says the same under the same version in every run, whenever results are taken", () => {
    fc.assert(
      fc.property(
        arbitraryJob(),
        arbitraryLog(),
        arbitrarySteps,
        arbitrarySteps,
        (job, log, steps, other) => {
          // One reader sees both runs, as after a crash: `see` compares every repeated version.
          const seen = createSeen();
          drive(job, log, steps, seen);
          drive(job, log, other, seen);
          drive(
            job,
            log,
            recordByRecord.flatMap((step) => [step, { do: "output" }]),
            seen,
          );
          const { history } = batchOracle(
            job,
            log.map((record) => ({ record })),
          );
          for (const [version, row] of seen.history) expect(row).toEqual(history.get(version));
        },
      ),
      { numRuns },
    );
  });

  test("closes what a recorded decision closes, and replays it to the same bytes", () => {
    fc.assert(
      fc.property(
        arbitraryJob(),
        arbitraryLog(),
        arbitraryQuiet,
        arbitrarySteps,
        (job, log, quiet, steps) => {
          const { task, seen, entries } = drive(job, log, quiet);
          expectTold(seen, batchOracle(job, entries));
          const replayed = replay(job, entries, steps);
          expect(replayed.task.snapshot()).toEqual(task.snapshot());
          expect(replayed.seen.results).toEqual(seen.results);
        },
      ),
      { numRuns },
    );
  });

  test("restores a snapshot taken before a decision, takes the decision, and goes on the same", () => {
    const quietMs = fc.integer({ min: 0, max: 500 });
    fc.assert(
      fc.property(arbitraryJob(), arbitraryLog(), fc.nat(60), quietMs, (job, log, cut, forMs) => {
        const before = drive(job, log.slice(0, cut + 1), []);
        const snapshot = before.task.snapshot();
        const watermark = before.task.aggregate.decidable(before.task.highestRecordTime + forMs);
        if (watermark === undefined) return;
        const [live, restored] = [before.task, Task.restore(job, 3, snapshot)];
        for (const task of [live, restored]) task.decide(watermark);
        expect(restored.snapshot()).toEqual(live.snapshot());
        const rest = columnsOf(log.slice(cut + 1), valueCount(job));
        const next = (log.at(-1)?.offset ?? 0) + 1;
        for (const task of [live, restored]) task.apply(rest, next);
        expect(restored.snapshot()).toEqual(live.snapshot());
        expect(rowsOf(restored.output(0, false))).toEqual(rowsOf(live.output(0, false)));
      }),
      { numRuns },
    );
  });

  test("without early results ends with the same final ones", () => {
    fc.assert(
      fc.property(arbitraryJob(), arbitraryLog(), fc.nat(20), (job, log, every) => {
        const task = new Task(job, 0, 0);
        const seen = createSeen();
        for (let at = 0; at < log.length; at += every + 1) {
          const batch = log.slice(at, at + every + 1);
          task.apply(columnsOf(batch, valueCount(job)), (batch.at(-1)?.offset ?? 0) + 1);
          see(seen, task.output(0, true));
        }
        const { results } = batchOracle(
          job,
          log.map((record) => ({ record })),
        );
        const told = [...results].filter(([, { status }]) => status !== "early");
        expect(seen.results).toEqual(new Map(told));
      }),
      { numRuns },
    );
  });
});

test("sums of fractions agree with the oracle to 1e-9, and to the bit between two cuts", () => {
  const fraction = fc.double({ min: 0, max: 1e6, noNaN: true });
  const costs = fc.array(fraction, { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(
      arbitraryJob(fc.constant({ sumCount: 1 })),
      arbitraryLog(),
      costs,
      arbitrarySteps,
      (job, plain, costs, steps) => {
        const log = plain.map((record, at) => ({ ...record, values: [costs[at] ?? 0] }));
        const { seen, entries, task } = drive(job, log, steps);
        const other = drive(job, log, []);
        expect(task.snapshot()).toEqual(other.task.snapshot());
        expect(seen.results).toEqual(other.seen.results);
        for (const [slot, { sums }] of batchOracle(job, entries).results) {
          const [found = Number.NaN] = seen.results.get(slot)?.sums ?? [];
          const [wanted = 0] = sums;
          expect(Math.abs(found - wanted)).toBeLessThanOrEqual(1e-9 * Math.abs(wanted));
        }
      },
    ),
    { numRuns: 500 },
  );
});

function expectTold(seen: Seen, oracle: OracleOutcome): void {
  expect(seen.results).toEqual(oracle.results);
  expect([...seen.lateOffsets]).toEqual(oracle.lateOffsets);
  expect([...seen.deadOffsets.keys()]).toEqual(oracle.deadOffsets);
  for (const [version, row] of seen.history) expect(row).toEqual(oracle.history.get(version));
}

/** Reads the same log again with other cuts and restarts; decisions are taken where they were recorded. */
function replay(
  job: WindowedJob,
  entries: readonly OracleEntry[],
  steps: readonly Step[],
): { task: Task; seen: Seen } {
  const first = entries.find((entry) => "record" in entry);
  let task = new Task(job, 3, first?.record.offset ?? 0);
  const seen = createSeen();
  const others = steps.filter((step) => step.do !== "apply");
  for (const [at, entry] of entries.entries()) {
    const other = others[at % Math.max(1, others.length)];
    if (other?.do === "output") see(seen, task.output(0, false));
    if (other?.do === "restart") {
      see(seen, task.output(0, false));
      task = Task.restore(job, 3, task.snapshot());
    }
    if ("record" in entry) {
      task.apply(columnsOf([entry.record], valueCount(job)), entry.record.offset + 1);
    } else {
      const watermark = task.aggregate.decidable(entry.quietAt);
      if (watermark !== undefined) task.decide(watermark);
    }
  }
  see(seen, task.output(0, false));
  return { task, seen };
}
