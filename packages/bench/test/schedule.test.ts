import { expect, test } from "vitest";
import { arrivalModels } from "@adstream/traffic/arrivals";
import { dueEvents, sendingDelays, total, worstDeviation } from "../src/schedule.ts";

/** `[from, to)` with so many events in each millisecond. */
function steady(lengthMs: number, perMs: number): Float64Array {
  return new Float64Array(lengthMs).fill(perMs);
}

/** What was due, but nothing from `fromMs` on for so long, and then all of it at once. */
function stalled(due: Float64Array, fromMs: number, stallMs: number): Float64Array {
  const sent = due.slice();
  const missing = total(due.subarray(fromMs, fromMs + stallMs));
  sent.fill(0, fromMs, fromMs + stallMs);
  sent[fromMs + stallMs] = (sent[fromMs + stallMs] ?? 0) + missing;
  return sent;
}

test.each(arrivalModels)(
  "%s: the schedule of a seed has its rate, and is the same each time",
  (model) => {
    const load = { model, rate: 2_000, seed: 3 };
    const due = dueEvents(load, 20_000);
    expect(due).toEqual(dueEvents(load, 20_000));
    expect(due).toHaveLength(20_000);
    expect(due[0]).toBeGreaterThan(0);
    // 20 seconds of an MMPP are within two thirds of its mean rate.
    expect(Math.abs(total(due) / 40_000 - 1)).toBeLessThan(model === "mmpp" ? 2 / 3 : 0.02);
  },
);

test("uniform: the first event is due at the start, and none at the end", () => {
  expect([...dueEvents({ model: "uniform", rate: 500, seed: 1 }, 6)]).toEqual([1, 0, 1, 0, 1, 0]);
});

test("a stall is missing in the windows that end in it, and too much in those that begin in it", () => {
  const due = steady(30_000, 20);
  expect(worstDeviation(due, due, 10_000, 0)).toEqual({ share: 0, fromMs: 0 });
  // 150 of 10,000 ms are missing at the stall's end.
  const once = worstDeviation(due, stalled(due, 15_000, 150), 10_000, 0);
  expect(once.share).toBeCloseTo(-0.015, 10);
  expect(once.fromMs).toBe(5_150);
  // Within the first 10 s there is no window that ends in it.
  const early = worstDeviation(due, stalled(due, 2_000, 150), 10_000, 0);
  expect(early.share).toBeCloseTo(0.015, 10);
  expect(early.fromMs).toBe(2_150);
  // Windows that begin behind the stall see nothing of it; one that begins within sees what is left of it.
  expect(worstDeviation(due, stalled(due, 2_000, 150), 10_000, 2_151).share).toBe(0);
  const within = worstDeviation(due, stalled(due, 2_000, 150), 10_000, 2_100);
  expect([within.share, within.fromMs]).toEqual([0.015, 2_150]);
});

test("a stall of a burst counts by what was due in the window, which may be less than the rate", () => {
  const due = steady(20_000, 4);
  due.fill(40, 12_000, 13_000);
  const { share, fromMs } = worstDeviation(due, stalled(due, 12_000, 100), 10_000, 0);
  // It ends with the stall: 9,900 quiet milliseconds, and 100 busy ones of which nothing came.
  expect(share).toBeCloseTo(-(100 * 40) / (9_900 * 4 + 100 * 40), 10);
  expect(fromMs).toBe(2_100);
});

test("what comes behind the schedule's end is missing in its last windows", () => {
  const due = steady(10_000, 10);
  const sent = new Float64Array(12_000);
  sent.fill(5, 0, 10_000);
  sent.fill(25, 10_000, 12_000);
  expect(worstDeviation(due, sent, 10_000, 0)).toEqual({ share: -0.5, fromMs: 0 });
  expect(() => worstDeviation(due, sent, 10_000, 1)).toThrow(RangeError);
});

test("delays are those of the n-th event due and the n-th sent", () => {
  const due = steady(1_000, 10);
  expect(sendingDelays(due, due)).toEqual({ p50: 0, p99: 0, max: 0 });
  const sent = new Float64Array(1_100);
  sent.set(stalled(due, 100, 50), 7);
  const { p50, p99, max } = sendingDelays(due, sent);
  expect([p50, max]).toEqual([7, 57]);
  // 500 of 10,000 waited for up to 50 ms, the last hundred of them for 48 and more.
  expect(p99).toBe(47);
  const lost = steady(1_000, 10);
  lost.fill(0, 990);
  expect(sendingDelays(due, lost)).toEqual({ p50: 0, p99: 0, max: 0 });
});
