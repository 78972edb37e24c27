import { describe, expect, test } from "vitest";
import { countDeadLetter, createBreaker } from "../src/breaker.ts";
import { StreamError } from "../src/errors.ts";
import { Task } from "../src/task.ts";
import { columnsOf, record } from "./logged-records.ts";

/** Ordinal of the record at which it trips, -1 when it never does. */
function tripsAt(dead: readonly number[]): number {
  const breaker = createBreaker();
  return dead.find((ordinal) => countDeadLetter(breaker, ordinal)) ?? -1;
}

const every = (step: number, count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, at) => from + at * step);

describe("the breaker", () => {
  test.each([
    ["100 dead letters and nothing else", every(1, 100), 99],
    ["99 dead letters and nothing else", every(1, 99), -1],
    [
      "99 dead letters first and one at record 9,999 (ordinal 9,998)",
      [...every(1, 99), 9_998],
      9_998,
    ],
    ["the 100th at the 10,000th record: 1 % is not more than 1 %", [...every(1, 99), 9_999], -1],
    ["a 101st within 10,000 records", [...every(1, 99, 5), 9_999, 10_000], 10_000],
    ["a 101st when the first is 10,000 records old", [...every(1, 99), 9_999, 10_000], -1],
    ["every hundredth: exactly 1 %", every(100, 1_000, 99), -1],
    ["every hundredth from the first: 100 of 9,901", every(100, 1_000), 9_900],
    ["one in 99 for ever: the 100th comes before 10,000 records", every(99, 1_000), 99 * 99],
  ])("with %s trips as it should", (_, dead, ordinal) => {
    expect(tripsAt(dead)).toBe(ordinal);
  });

  test("keeps no more than what trips it, and never forgets what it needs", () => {
    const breaker = createBreaker();
    for (const ordinal of every(100, 10_000)) countDeadLetter(breaker, ordinal);
    expect(breaker.recent).toHaveLength(100);
    expect(createBreaker(breaker.recent).recent).toEqual(breaker.recent);
  });
});

describe("a task whose input cannot be read", () => {
  const job = {
    window: { sizeMs: 10, slideMs: 10 },
    watermarkDelayMs: 0,
    allowedLatenessMs: 0,
    maxFutureMs: 0,
    sumCount: 1,
  };
  const bad = (from: number, count: number) =>
    columnsOf(
      Array.from({ length: count }, (_, at) => record(from + at, { rejected: "short frame" })),
    );

  test("stops with exit code 65 and names offset and reason", () => {
    const task = new Task(job, 4, 0);
    task.apply(bad(0, 99), 99);
    const stopped = attempt(() => task.apply(bad(99, 1), 100));
    expect(stopped).toMatchObject({
      code: "DEAD_LETTER_BREAKER",
      disposition: "stop",
      exitCode: 65,
    });
    expect(stopped?.message).toContain("partition 4");
    expect(stopped?.message).toContain("offset 99 because of short frame");
  });

  test("stops at the same record after a restart", () => {
    const task = new Task(job, 4, 0);
    task.apply(bad(0, 60), 60);
    const restored = Task.restore(job, 4, task.snapshot());
    restored.apply(bad(60, 39), 99);
    expect(attempt(() => restored.apply(bad(99, 1), 100))?.message).toContain("offset 99");
  });
});

function attempt(action: () => void): StreamError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof StreamError) return error;
    throw error;
  }
  return undefined;
}
