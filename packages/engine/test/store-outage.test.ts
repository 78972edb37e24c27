import { beforeEach, describe, expect, test } from "vitest";
import type { Frame } from "../src/checkpoint.ts";
import { assign, gate, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld } from "./fakes/fake-process.ts";
import type { StoreFault } from "./fakes/faulty-store.ts";
import { settle } from "./fakes/virtual-clock.ts";
import { record } from "./logged-records.ts";

let world: FakeWorld;
let one: FakeProcess;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
});

/** What was told of the window that begins at 0. */
function told(): string[] {
  return world.rows
    .filter((row) => row.windowStart === 0)
    .map(({ status, version, records }) => `${status}@${version} x${records}`);
}

describe("a store that does not get on", () => {
  test("holds up no results while a checkpoint is on its way", async () => {
    await assign(one, 0);
    const stored = gate();
    one.store.onCreate = async (): Promise<StoreFault> => {
      await stored.wait();
      return "none";
    };
    for (let offset = 0; offset < 12; offset++) {
      world.log.append(0, record(offset, { eventTime: offset }));
      await live(1, one);
    }
    expect(told()).toHaveLength(12);
    expect(world.kinds()).toBe("claim checkpoint");
    stored.open();
    await settle();
    expect(world.frames().get(3)?.header).toMatchObject({ log: { nextOffset: 5 } });
    await live(5, one);
    expect(world.frames().get(4)?.header).toMatchObject({ log: { nextOffset: 12 } });
  });

  test("is asked again after 1 s, 2 s, 4 s, and at least every half minute", async () => {
    await assign(one, 0);
    const attempts: number[] = [];
    one.store.onCreate = () => {
      attempts.push((world.clock.nowMs() - 1_000) / 1_000);
      return "refused";
    };
    world.log.append(0, record(0));
    await live(130, one);
    expect(attempts).toEqual([5, 6, 8, 12, 20, 36, 66, 96, 126]);
  });

  test("gets no decision before a plain checkpoint got through", async () => {
    one = new FakeProcess(world, "one", { idleTimeoutMs: 3_000 });
    world.log.append(0, record(0, { eventTime: 5 }), record(1, { eventTime: 7 }));
    await assign(one, 0);
    await live(2, one);
    one.store.onCreate = () => "late";
    world.log.append(0, record(2, { eventTime: 8 }));
    // Quiet for longer than the time out, but the outcome of a decision would be unknown, and intake stand still.
    await live(20, one);
    expect(one.source.reading).toEqual([0]);
    expect(world.rows.every(({ status }) => status === "early")).toBe(true);
    one.store.onCreate = () => "none";
    await live(20, one);
    expect(world.rows.at(-1)).toMatchObject({ status: "final", records: 3 });
    expect([...world.frames().values()].map(({ header }) => decisionsIn(header))).toEqual([
      0, 0, 0, 1, 0,
    ]);
  });

  test("that gets an answered decision late holds the task to it", async () => {
    one = new FakeProcess(world, "one", { idleTimeoutMs: 3_000 });
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    one.store.onCreate = (name) => (name.endsWith("3") ? "late" : "none");
    await live(12, one);
    expect(one.source.reading).toEqual([]);
    expect(told().at(-1)).toMatch(/^early/);
    await one.store.arrive();
    await live(2, one);
    expect(told().at(-1)).toBe("final@3 x1");
    expect(one.source.reading).toEqual([0]);
    // The attempt that arrived late, and the one that was made again on top of it.
    const decisions = [3, 4].map((seq) => decisionsIn(world.frames().get(seq)?.header));
    expect(decisions).toEqual([1, 1]);
  });
});

describe("what a restart would read again", () => {
  const limits = { bytes: 1_000, ageMs: 60_000, logMs: 10_000 };

  beforeEach(async () => {
    one = new FakeProcess(world, "one", { replayLimits: limits });
    await assign(one, 0);
    one.trace.length = 0;
  });

  const limited = (): string[] => one.trace.filter((line) => line.startsWith("replay"));

  test.each([
    ["for too long", 61, 0],
    ["too close to what retention removes", 11, 1_000],
  ])("%s without checkpoint stops intake, until one gets through", async (_, seconds, stepMs) => {
    one.store.onCreate = () => "refused";
    for (let second = 0; second < seconds; second++) {
      const time = second * stepMs;
      world.log.append(0, record(second, { eventTime: time, recordTime: time }));
      await live(1, one);
    }
    expect(limited()).toEqual([]);
    world.log.append(0, record(seconds, { eventTime: 1, recordTime: seconds * stepMs }));
    await live(1, one);
    const before = one.runner.tasks[0]?.task.nextOffset;
    world.log.append(0, record(seconds + 1, { eventTime: 1 }));
    await live(20, one);
    expect(limited()).toEqual(["replay limited p0"]);
    expect(one.source.reading).toEqual([]);
    expect(one.runner.tasks[0]?.task.nextOffset).toBe(before);
    expect([...(one.runner.tasks[0]?.intake.reasons ?? [])]).toEqual(["replay"]);
    one.store.onCreate = () => "none";
    await live(40, one);
    expect(limited()).toEqual(["replay limited p0", "replay unlimited p0"]);
    expect(one.runner.tasks[0]?.task.nextOffset).toBe(seconds + 2);
    expect(one.runner.tasks[0]?.unsaved.bytes).toBe(0);
  });
});

function decisionsIn(header: Frame["header"] | undefined): number {
  return header?.kind === "checkpoint" ? header.decisions.length : 0;
}
