import { beforeEach, describe, expect, test } from "vitest";
import { encodeFrame } from "../src/checkpoint.ts";
import { CheckpointLadder } from "../src/checkpoint-ladder.ts";
import { type RunOptions, unknownSchemaPatienceMs } from "../src/run-options.ts";
import { TaskCheckpoints } from "../src/task-checkpoints.ts";
import { takeSnapshot, type TaskSnapshot } from "../src/task-snapshot.ts";
import { Task } from "../src/task.ts";
import { FakeProcess, FakeWorld, testJob } from "./fakes/fake-process.ts";
import { gate } from "./fakes/drive-process.ts";
import type { StoreFault } from "./fakes/faulty-store.ts";
import { claimFrame } from "./fakes/frames.ts";
import { settle } from "./fakes/virtual-clock.ts";

let world: FakeWorld;
let one: FakeProcess;
let checkpoints: TaskCheckpoints;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
  checkpoints = owner(one, 4);
});

function owner(
  { options }: FakeProcess,
  seq: number,
  parts: Partial<RunOptions> = {},
): TaskCheckpoints {
  const ladder = new CheckpointLadder(options.store, "job", 0);
  const claimedAt = world.clock.nowMs();
  return new TaskCheckpoints({ ...options, ...parts }, ladder, { partition: 0, seq, claimedAt });
}

function snapshot(nextOffset = 5): TaskSnapshot {
  const task = new Task(testJob, 0, nextOffset);
  return takeSnapshot(task, world.log.describe(0), one.options, 2, []);
}

/** The task is not taken from us by the group meanwhile. */
const never = new AbortController().signal;

/** Somebody else takes this number. */
function intrude(seq: number): void {
  const frame = claimFrame(seq, 0, { writer: { instance: "two", nonce: "theirs", at: "" } });
  world.objects.set(`job/p0000/${String(seq).padStart(12, "0")}`, encodeFrame(frame));
}

describe("writing a checkpoint", () => {
  test("takes the next number, then commits its offset", async () => {
    expect(await checkpoints.write(snapshot())).toBe("durable");
    expect(checkpoints.seq).toBe(5);
    expect(one.trace).toEqual(["checkpoint p0 5 created", "checkpointed p0", "commit p0 5"]);
    expect(world.frames().get(5)?.header).toMatchObject({
      kind: "checkpoint",
      jobEpoch: 2,
      watermark: null,
      log: { nextOffset: 5, canary: null },
      writer: { instance: "one", nonce: "nonce 1" },
    });
  });

  test("ends when somebody took the number: no commit", async () => {
    intrude(5);
    expect(await checkpoints.write(snapshot())).toBe("fenced");
    expect(checkpoints.seq).toBe(4);
    expect(one.trace.join()).not.toContain("commit");
  });

  test("that the store refuses can be tried again under the same number", async () => {
    one.store.onCreate = () => "refused";
    expect(await checkpoints.write(snapshot())).toBe("failed");
    one.store.onCreate = () => "none";
    expect(await checkpoints.write(snapshot())).toBe("durable");
    expect([...world.frames().keys()]).toEqual([5]);
    expect(one.trace.filter((line) => line.startsWith("commit"))).toHaveLength(1);
  });

  test("whose answer was lost counts when it can be read back", async () => {
    one.store.onCreate = () => "lost answer";
    expect(await checkpoints.write(snapshot())).toBe("durable");
    expect(checkpoints.seq).toBe(5);
  });

  test("that got through unnoticed is no stranger later: the next number follows", async () => {
    one.store.onCreate = () => "lost answer";
    one.store.onRead = () => "refused";
    expect(await checkpoints.write(snapshot(5))).toBe("unknown");
    expect(await checkpoints.write(snapshot(6))).toBe("unknown");
    one.store.onCreate = () => "none";
    one.store.onRead = () => "none";
    expect(await checkpoints.write(snapshot(7))).toBe("durable");
    const offsets = [...world.frames()].map(([seq, { header }]) => [
      seq,
      header.kind === "checkpoint" && header.log.nextOffset,
    ]);
    expect(offsets).toEqual([
      [5, 5],
      [6, 7],
    ]);
    expect(checkpoints.seq).toBe(6);
  });

  test("that is still on its way is neither lost nor a stranger when it gets there", async () => {
    one.store.onCreate = () => "late";
    expect(await checkpoints.write(snapshot(5))).toBe("unknown");
    expect(await checkpoints.write(snapshot(6))).toBe("unknown");
    await one.store.arrive();
    one.store.onCreate = () => "none";
    expect(await checkpoints.write(snapshot(7))).toBe("durable");
    expect([...world.frames().keys()]).toEqual([5, 6]);
    expect(checkpoints.seq).toBe(6);
  });

  test("that gets there after its successor changes nothing", async () => {
    one.store.onCreate = () => "late";
    expect(await checkpoints.write(snapshot(5))).toBe("unknown");
    one.store.onCreate = () => "none";
    expect(await checkpoints.write(snapshot(6))).toBe("durable");
    await one.store.arrive();
    expect(world.frames().get(5)?.header).toMatchObject({ log: { nextOffset: 6 } });
    expect(await checkpoints.write(snapshot(7))).toBe("durable");
    expect(checkpoints.seq).toBe(6);
  });

  test("finds a number free that others used and pruned long ago, and knows that it is not the owner", async () => {
    one.store.onCreate = () => {
      intrude(20);
      return "none";
    };
    expect(await checkpoints.write(snapshot())).toBe("fenced");
    expect(one.trace.join()).not.toContain("commit");
  });

  test("is durable also when the store cannot be asked who else is there", async () => {
    one.store.onList = () => "refused";
    expect(await checkpoints.write(snapshot())).toBe("durable");
    expect(one.trace.at(-1)).toBe("commit p0 5");
    expect(one.trace).toContain("retried p0");
    one.store.onList = () => "none";
    // Ownership is not proved by it, so it is asked for before results go out.
    world.clock.freeze(15_001);
    intrude(6);
    expect(await checkpoints.mayPublish(never)).toBe(false);
  });

  test("goes on when old ones cannot be removed", async () => {
    one.store.onRemove = () => "refused";
    for (let at = 0; at < 8; at++) expect(await checkpoints.write(snapshot(at))).toBe("durable");
    expect(one.trace).toContain("retried p0");
    one.store.onRemove = () => "none";
    await checkpoints.write(snapshot());
    expect([...world.frames().keys()]).toEqual([9, 10, 11, 12, 13]);
  });
});

describe("an owner asks whether it is still the newest", () => {
  test.each([
    ["nobody came", undefined, true],
    ["somebody claimed", 5, false],
  ])("when the group gives it the task again: %s", async (_, taken, newest) => {
    intrude(4);
    if (taken) intrude(taken);
    expect(await checkpoints.newest()).toBe(newest);
  });

  test("and takes an attempt of its own that may have got through as another's", async () => {
    one.store.onCreate = () => "lost answer";
    one.store.onRead = () => "refused";
    await checkpoints.write(snapshot());
    expect(await checkpoints.newest()).toBe(false);
  });
});

describe("before it publishes an owner", () => {
  test("does not take the attempt on its way for a successor's claim", async () => {
    intrude(4);
    const answered = gate();
    one.store.onCreate = async (): Promise<StoreFault> => {
      world.clock.freeze(20_000);
      await answered.wait();
      return "none";
    };
    const written = checkpoints.write(snapshot());
    await settle();
    expect(await checkpoints.mayPublish(never)).toBe(true);
    answered.open();
    expect(await written).toBe("durable");
    expect(await checkpoints.mayPublish(never)).toBe(true);
  });

  test("asks nobody while its knowledge is at most half an idle timeout old", async () => {
    world.clock.freeze(15_000);
    expect(await checkpoints.mayPublish(never)).toBe(true);
    expect(one.store.lists).toBe(0);
    world.clock.freeze(1);
    expect(await checkpoints.mayPublish(never)).toBe(true);
    expect(one.store.lists).toBe(1);
    await checkpoints.mayPublish(never);
    expect(one.store.lists).toBe(1);
  });

  test("finds out that it was replaced while it was frozen", async () => {
    intrude(4);
    intrude(5);
    expect(await checkpoints.mayPublish(never)).toBe(true);
    world.clock.freeze(15_001);
    expect(await checkpoints.mayPublish(never)).toBe(false);
  });

  test("knows it again from the moment its last checkpoint was begun", async () => {
    one.store.onCreate = () => {
      world.clock.freeze(10_000);
      return "none";
    };
    await checkpoints.write(snapshot());
    const lists = () => one.store.lists;
    const before = lists();
    world.clock.freeze(5_001);
    await checkpoints.mayPublish(never);
    expect(lists()).toBe(before + 1);
  });

  test("does not take its own unanswered attempt for a successor, but one more number is", async () => {
    intrude(4);
    one.store.onCreate = () => "lost answer";
    one.store.onRead = () => "refused";
    await checkpoints.write(snapshot());
    world.clock.freeze(20_000);
    expect(await checkpoints.mayPublish(never)).toBe(true);
    intrude(6);
    world.clock.freeze(20_000);
    expect(await checkpoints.mayPublish(never)).toBe(false);
  });

  test("goes on when the store does not answer, and asks again", async () => {
    one.store.onList = () => "refused";
    world.clock.freeze(20_000);
    expect(await checkpoints.mayPublish(never)).toBe(true);
    expect(one.trace).toEqual(["retried p0"]);
    one.store.onList = () => "none";
    intrude(5);
    expect(await checkpoints.mayPublish(never)).toBe(false);
  });

  test("waits for the store's answer once somebody may have claimed and decided", async () => {
    one.store.onList = () => "refused";
    world.clock.freeze(30_001);
    const asked = checkpoints.mayPublish(never);
    await world.clock.advance(2_500);
    expect(one.trace).toEqual(["retried p0", "retried p0", "retried p0"]);
    one.store.onList = () => "none";
    intrude(5);
    await world.clock.advance(1_000);
    expect(await asked).toBe(false);
  });

  test("waits no longer than it owns the task", async () => {
    one.store.onList = () => "refused";
    world.clock.freeze(30_001);
    const gone = new AbortController();
    const asked = checkpoints.mayPublish(gone.signal);
    await world.clock.advance(500);
    gone.abort();
    expect(await asked).toBe(false);
  });

  test("finds out that the number it may have written was claimed by a successor", async () => {
    intrude(4);
    one.store.onCreate = () => "refused";
    one.store.onRead = () => "refused";
    await checkpoints.write(snapshot());
    one.store.onRead = () => "none";
    world.clock.freeze(20_000);
    expect(await checkpoints.mayPublish(never)).toBe(true);
    intrude(5);
    world.clock.freeze(20_000);
    expect(await checkpoints.mayPublish(never)).toBe(false);
  });

  test("knows an attempt of its own that got through", async () => {
    intrude(4);
    one.store.onCreate = () => "lost answer";
    one.store.onRead = () => "refused";
    await checkpoints.write(snapshot());
    one.store.onRead = () => "none";
    world.clock.freeze(20_000);
    expect(await checkpoints.mayPublish(never)).toBe(true);
    await checkpoints.mayPublish(never);
    expect(one.store.lists).toBe(1);
  });

  test("asks each time while it cannot tell its own attempt from a claim", async () => {
    intrude(4);
    one.store.onCreate = () => "lost answer";
    one.store.onRead = () => "refused";
    await checkpoints.write(snapshot());
    world.clock.freeze(20_000);
    await checkpoints.mayPublish(never);
    await checkpoints.mayPublish(never);
    expect(one.store.lists).toBe(2);
  });

  test("asks within the patience with unknown schemas even where windows never close by decision", async () => {
    const patient = owner(one, 4, { idleTimeoutMs: Number.POSITIVE_INFINITY });
    intrude(5);
    world.clock.freeze(unknownSchemaPatienceMs / 2);
    expect(await patient.mayPublish(never)).toBe(true);
    expect(one.store.lists).toBe(0);
    world.clock.freeze(1);
    expect(await patient.mayPublish(never)).toBe(false);
  });
});
