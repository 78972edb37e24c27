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
    expect(stopped?.message).toMatch(
      /; to let those that are in the log become dead letters, start once with --accept-dead-letters$/,
    );
  });

  test("stops at the same record after a restart", () => {
    const task = new Task(job, 4, 0);
    task.apply(bad(0, 60), 60);
    const restored = Task.restore(job, 4, task.snapshot());
    restored.apply(bad(60, 39), 99);
    expect(attempt(() => restored.apply(bad(99, 1), 100))?.message).toContain("offset 99");
  });

  test.each([
    ["all of them", 0, 300],
    ["also in one batch with the next ones", 0, 310],
    ["and forgets those before them", 60, 300],
  ])("does not stop for those that are accepted, %s", (_, before, end) => {
    const task = new Task(job, 4, 0);
    task.apply(bad(0, before), before);
    task.acceptDeadLettersBefore(300);
    task.apply(bad(before, end - before), end);
    task.apply(bad(end, 399 - end), 399);
    expect(task.output(0, false).deadLetters).toHaveLength(399);
    expect(task.counts.dead).toBe(399);
    expect(attempt(() => task.apply(bad(399, 1), 400))?.message).toContain("offset 399");
  });

  test("remembers none that were accepted after a restart, and accepts no more of them", () => {
    const task = new Task(job, 4, 0);
    task.acceptDeadLettersBefore(500);
    task.apply(bad(0, 150), 150);
    const restored = Task.restore(job, 4, task.snapshot());
    restored.apply(bad(150, 99), 249);
    expect(attempt(() => restored.apply(bad(249, 1), 250))?.message).toContain("offset 249");
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
