import * as fc from "fast-check";
import type { WindowedJob } from "../src/windowed-job.ts";
import type { Step } from "./drive-task.ts";
import type { LoggedRecord } from "./logged-records.ts";

/** What may be made of the two values of a record. */
const measures = fc.constantFrom<Pick<WindowedJob, "sumCount" | "maxCount">>(
  { sumCount: 2 },
  { sumCount: 1, maxCount: 1 },
  { sumCount: 0, maxCount: 2 },
);

/** Any size and slide with at most 12 windows for each record; times in small units so that boundaries are hit often. */
export function arbitraryJob(values: typeof measures = measures): fc.Arbitrary<WindowedJob> {
  return fc
    .record({
      slideMs: fc.integer({ min: 1, max: 40 }),
      extraMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 80 })),
      watermarkDelayMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 60 })),
      allowedLatenessMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 150 })),
      maxFutureMs: fc.integer({ min: 0, max: 100 }),
      values,
    })
    .map(({ slideMs, extraMs, values: counts, ...rest }) => ({
      ...rest,
      ...counts,
      window: { slideMs, sizeMs: Math.min(slideMs + extraMs, slideMs * 12) },
    }));
}

const arbitraryStride = fc.record({
  gap: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 5 })),
  stepMs: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 15 }) },
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 600 }) },
  ),
  /** Event time against the log's own time: mostly near, sometimes far beyond any lateness. */
  skewMs: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -60, max: 30 }) },
    { weight: 1, arbitrary: fc.integer({ min: -800, max: 200 }) },
  ),
  timed: fc.oneof({ weight: 8, arbitrary: fc.constant(true) }, fc.constant(false)),
  key: fc.constantFrom("a", "b", "c", "__proto__", "日"),
  values: fc.tuple(fc.integer({ min: -5, max: 1_000_000 }), fc.integer({ min: 0, max: 9 })),
  bad: fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, fc.constant(true)),
});

/** A partition's log: offsets with gaps, times from before the epoch to today, disorder of every kind. */
export function arbitraryLog(maxRecords = 60): fc.Arbitrary<LoggedRecord[]> {
  const from = fc.constantFrom(0, -300, 1_000, 1_780_000_000_000);
  return fc
    .tuple(from, fc.array(arbitraryStride, { minLength: 1, maxLength: maxRecords }))
    .map(([startMs, strides]) => {
      let nowMs = startMs;
      let offset = 4;
      return strides.map(({ gap, stepMs, skewMs, timed, key, values, bad }) => {
        nowMs += stepMs;
        offset += gap;
        return {
          offset,
          recordTime: timed && nowMs >= 0 ? nowMs : -1,
          eventTime: nowMs + skewMs,
          key,
          values,
          rejected: bad ? ("wrong magic byte" as const) : ("accepted" as const),
        };
      });
    });
}

/** Cuts into batches, with outputs and restarts anywhere. */
export const arbitrarySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("apply" as const), records: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.constant({ do: "output" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
  ),
  { maxLength: 40 },
);

/** The places where a partition is judged quiet, and after how many records. */
export const arbitraryQuiet: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("apply" as const), records: fc.nat(9) }),
    fc.record({ do: fc.constant("quiet" as const), forMs: fc.integer({ min: 0, max: 300 }) }),
  ),
  { maxLength: 30 },
);
