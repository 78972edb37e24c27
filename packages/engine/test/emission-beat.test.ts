import { beforeEach, describe, expect, test } from "vitest";
import { EmissionBeat } from "../src/emission-beat.ts";

let nowMs: number;
const clock = { nowMs: () => nowMs, wallMs: () => nowMs, sleep: () => Promise.resolve() };
let beat: EmissionBeat;

/** A beat that has just let something out. */
function emitted(emitIntervalMs: number): EmissionBeat {
  const made = new EmissionBeat({ clock, emitIntervalMs, checkpointIntervalMs: 5_000 });
  nowMs += emitIntervalMs;
  expect(made.begins()).toBe(true);
  return made;
}

beforeEach(() => {
  nowMs = 1_000;
  beat = emitted(100);
});

describe("early results", () => {
  test("come out as soon as all there is is applied, once the interval is over", () => {
    nowMs += 130;
    expect(beat.changed()).toBe(false);
    expect(beat.begins()).toBe(false);
    expect(beat.logEnded()).toBe(true);
    expect(beat.begins()).toBe(true);
    expect(beat.begins()).toBe(false);
  });

  test("wait for the rest of the interval, which the sleeper is told once", () => {
    nowMs += 30;
    expect(beat.changed()).toBe(false);
    expect(beat.logEnded()).toBe(true);
    expect(beat.begins()).toBe(false);
    expect(beat.sleepMs()).toBe(70);
    nowMs += 10;
    expect(beat.changed()).toBe(false);
    expect(beat.logEnded()).toBe(false);
    nowMs += 60;
    expect(beat.begins()).toBe(true);
  });

  test("need not wait for another fetch where the log ends a little before the interval does", () => {
    nowMs += 96;
    beat.changed();
    expect(beat.logEnded()).toBe(true);
    expect(beat.begins()).toBe(true);
  });

  test("come out on a backlog as well, and not in the middle of what came together", () => {
    nowMs += 130;
    expect(beat.changed()).toBe(false);
    nowMs += 1;
    expect(beat.changed()).toBe(false);
    nowMs += 1;
    expect(beat.changed()).toBe(true);
    expect(beat.changed()).toBe(false);
    expect(beat.begins()).toBe(true);
  });

  test("do not come out where nothing changed", () => {
    nowMs += 1_000;
    expect(beat.logEnded()).toBe(false);
    expect(beat.begins()).toBe(false);
  });

  test("come out after an interval where a restored task has something to say", () => {
    const restored = new EmissionBeat({ clock, emitIntervalMs: 100, checkpointIntervalMs: 5_000 });
    expect(restored.begins()).toBe(false);
    expect(restored.sleepMs()).toBe(100);
  });
});

describe("a task at rest", () => {
  test.each([
    [10, 5_000, 100],
    [1_000, 5_000, 1_000],
    [3_600_000, 5_000, 1_000],
    [1_000, 200, 200],
  ])("with results each %i ms and checkpoints each %i ms looks around after %i ms", (...row) => {
    const [emitIntervalMs, checkpointIntervalMs, restMs] = row;
    const resting = new EmissionBeat({ clock, emitIntervalMs, checkpointIntervalMs });
    nowMs += emitIntervalMs;
    resting.begins();
    expect(resting.sleepMs()).toBe(restMs);
    nowMs += restMs;
    expect(resting.sleepMs()).toBe(0);
    expect(resting.begins()).toBe(false);
    expect(resting.sleepMs()).toBe(restMs);
  });
});
