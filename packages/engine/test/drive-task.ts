import { expect } from "vitest";
import { rejectReasons } from "../src/columns.ts";
import type { TaskOutput } from "../src/ports.ts";
import { resultKey, resultStatuses } from "../src/results.ts";
import { Task } from "../src/task.ts";
import type { WindowedJob } from "../src/windowed-job.ts";
import { columnsOf, type LoggedRecord, valueCount } from "./logged-records.ts";
import { type OracleEntry, type OracleResult, slotName } from "./oracle.ts";

/** What may happen to a task between its records. */
export type Step =
  | { readonly do: "apply"; readonly records: number }
  | { readonly do: "output" }
  | { readonly do: "restart" }
  | { readonly do: "quiet"; readonly forMs: number };

/** Everything a reader of the results topic would have seen. */
export type Seen = {
  /** Slot -> row with the highest version. */
  readonly results: Map<string, OracleResult>;
  /** Slot and version -> row. */
  readonly history: Map<string, OracleResult>;
  readonly lateOffsets: Set<number>;
  readonly deadOffsets: Map<number, string>;
};

export function createSeen(): Seen {
  return {
    results: new Map(),
    history: new Map(),
    lateOffsets: new Set(),
    deadOffsets: new Map(),
  };
}

/** Rows of an output as plain objects, in order. */
export function rowsOf({ results }: Pick<TaskOutput, "results">): OracleResult[] {
  return Array.from({ length: results.count }, (_, row) => ({
    key: Buffer.from(resultKey(results, row)).toString(),
    windowStart: results.windowStart[row] ?? Number.NaN,
    windowEnd: results.windowEnd[row] ?? Number.NaN,
    version: results.version[row] ?? Number.NaN,
    status: resultStatuses[results.status[row] ?? -1] ?? "early",
    records: results.records[row] ?? Number.NaN,
    maxEventTime: results.maxEventTime[row] ?? Number.NaN,
    maxRecordTime: results.maxRecordTime[row] ?? Number.NaN,
    sums: results.sums.map((sum) => sum[row] ?? Number.NaN),
    ...(results.maxima.length > 0 && {
      maxima: results.maxima.map((max) => max[row] ?? Number.NaN),
    }),
  }));
}

/** Merges as a sink does: the highest version wins, and equal versions must say the same. */
export function see(seen: Seen, output: TaskOutput): void {
  for (const row of rowsOf(output)) {
    const slot = slotName(row.key, row.windowStart);
    const said = seen.history.get(`${slot}@${row.version}`);
    if (said !== undefined) expect(row).toEqual(said);
    seen.history.set(`${slot}@${row.version}`, row);
    if (row.version >= (seen.results.get(slot)?.version ?? 0)) seen.results.set(slot, row);
  }
  for (const { offset } of output.late) seen.lateOffsets.add(offset);
  for (const { offset, reason } of output.deadLetters) {
    seen.deadOffsets.set(offset, rejectReasons[reason] ?? "unnamed");
  }
}

/** Applies records one batch after the other, then what is left, and takes the last output. */
export function drive(
  job: WindowedJob,
  log: readonly LoggedRecord[],
  steps: readonly Step[],
  seen = createSeen(),
): { task: Task; seen: Seen; entries: OracleEntry[] } {
  let task = new Task(job, 3, log[0]?.offset ?? 0);
  let next = 0;
  const entries: OracleEntry[] = [];
  const apply = (count: number): void => {
    const batch = log.slice(next, next + count);
    next += batch.length;
    entries.push(...batch.map((record) => ({ record })));
    task.apply(
      columnsOf(batch, valueCount(job)),
      (batch.at(-1)?.offset ?? task.nextOffset - 1) + 1,
    );
  };
  const doStep = (step: Step): void => {
    if (step.do === "apply") apply(step.records);
    else if (step.do === "output") see(seen, task.output(0, false));
    else if (step.do === "restart") {
      // What was not published is lost with the process, unless it is published before the checkpoint.
      see(seen, task.output(0, false));
      task = Task.restore(job, 3, task.snapshot());
    } else {
      const now = task.highestRecordTime + step.forMs;
      const watermark = task.aggregate.decidable(now);
      if (watermark !== undefined) task.decide(watermark);
      entries.push({ quietAt: now, nextOffset: task.nextOffset });
    }
  };
  for (const step of steps) doStep(step);
  if (next < log.length) apply(log.length - next);
  see(seen, task.output(0, false));
  return { task, seen, entries };
}
