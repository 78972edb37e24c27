import { beforeEach, describe, expect, test } from "vitest";
import { type CheckpointHeader, encodeFrame, frameDigest } from "../src/checkpoint.ts";
import { CheckpointLadder } from "../src/checkpoint-ladder.ts";
import { StreamError } from "../src/errors.ts";
import type { PayloadCodec } from "../src/ports.ts";
import { TaskCheckpoints } from "../src/task-checkpoints.ts";
import { Task } from "../src/task.ts";
import { wholeState } from "../src/whole-state.ts";
import { FakeProcess, FakeWorld, testJob } from "./fakes/fake-process.ts";
import { checkpointFrame, claimFrame } from "./fakes/frames.ts";
import { columnsOf, record } from "./logged-records.ts";

const plain: PayloadCodec = {
  compress: async (bytes) => bytes,
  decompress: async (bytes) => bytes,
};
const keys = 200;

let world: FakeWorld;
let one: FakeProcess;
let task: Task;
let checkpoints: TaskCheckpoints;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
  task = new Task(testJob, 0, 0);
  checkpoints = owner();
  counts(Array.from({ length: keys }, (_, key) => key));
});

function ladder(): CheckpointLadder {
  return new CheckpointLadder(one.options.store, "job", 0);
}

function owner(seq = 1): TaskCheckpoints {
  const options = { ...one.options, deltaFromBytes: 1 };
  return new TaskCheckpoints(options, ladder(), { partition: 0, seq, claimedAt: 0 });
}

/** Counts an event of each of these keys. */
function counts(of: readonly number[]): void {
  const offset = task.nextOffset;
  const records = of.map((key, at) => record(offset + at, { key: `ad ${key}`, eventTime: 7 }));
  task.apply(columnsOf(records), offset + of.length);
  task.output(0, false);
}

async function write(notes: Pick<CheckpointHeader, "savepoint"> = {}): Promise<string> {
  const snapshot = checkpoints.capture(task, world.log.describe(0), 0, [], notes);
  return checkpoints.write(snapshot);
}

/** Number -> what it is a delta of; "whole" for what is none. */
function bases(): Record<number, number | "whole"> {
  const frames = [...world.frames()].toSorted(([a], [b]) => a - b);
  return Object.fromEntries(
    frames.map(([seq, { header }]) => [
      seq,
      header.kind === "claim" ? "whole" : (header.delta?.seq ?? "whole"),
    ]),
  );
}

function nameOf(seq: number): string {
  return `job/p0000/${String(seq).padStart(12, "0")}`;
}

describe("an owner writes", () => {
  test("its whole state first, then what changed since its newest checkpoint", async () => {
    await write();
    counts([3]);
    await write();
    counts([4, keys]);
    await write();
    expect(bases()).toEqual({ 2: "whole", 3: 2, 4: 3 });
    const { checkpoint, unreadable } = await ladder().newest();
    expect([checkpoint?.header.seq, checkpoint?.bases.length, unreadable]).toEqual([4, 2, 0]);
    const state = await wholeState(plain, checkpoint!);
    expect(Buffer.compare(state, task.snapshot())).toBe(0);
  });

  test.each(["refused", "late", "lost answer"] as const)(
    "what changed since the newest that it knows to be there, when one is %s",
    async (fault) => {
      await write();
      one.store.onCreate = () => fault;
      one.store.onRead = () => "refused";
      counts([3]);
      expect(["failed", "unknown"]).toContain(await write());
      one.store.onCreate = () => "none";
      one.store.onRead = () => "none";
      counts([4]);
      expect(await write()).toBe("durable");
      const newest = Math.max(...Object.keys(bases()).map(Number));
      expect(bases()[newest]).toBe(2);
      const { checkpoint } = await ladder().newest();
      const state = await wholeState(plain, checkpoint!);
      expect(Buffer.compare(state, task.snapshot())).toBe(0);
    },
  );

  test("everything again after 16 deltas, or when those are as large as the state", async () => {
    for (let time = 0; time < 18; time++) {
      counts([3]);
      await write();
    }
    const long = Object.values(bases());
    expect(long.filter((base) => base === "whole")).toHaveLength(2);
    expect(long.at(-1)).toBe("whole");
    for (let time = 0; time < 4; time++) {
      counts(Array.from({ length: keys }, (_, key) => key));
      await write();
    }
    expect(Object.values(bases()).slice(-4)).toEqual([19, 20, "whole", 22]);
  });

  test("everything at a clean stop, for code that knows no deltas", async () => {
    await write();
    counts([3]);
    await write({ savepoint: true });
    expect(bases()).toEqual({ 2: "whole", 3: "whole" });
  });

  test("everything when it goes on from the deltas of another", async () => {
    await write();
    counts([3]);
    await write();
    checkpoints = owner(3);
    counts([4]);
    await write();
    expect(bases()).toMatchObject({ 3: 2, 4: "whole" });
  });

  test("everything while the state is small", async () => {
    const { options } = one;
    checkpoints = new TaskCheckpoints(options, ladder(), { partition: 0, seq: 1, claimedAt: 0 });
    await write();
    counts([3]);
    await write();
    expect(bases()).toEqual({ 2: "whole", 3: "whole" });
  });
});

describe("a delta does not count as readable", () => {
  async function chain(): Promise<void> {
    for (let time = 0; time < 4; time++) {
      counts([time]);
      await write();
    }
  }

  test.each([
    ["is broken", Buffer.from("torn"), 2, 3],
    ["is another checkpoint", framed(3), 3, 2],
    ["is a claim", encodeFrame(claimFrame(3, 2, { job: "job" })), 2, 2],
  ])("when what it rests on %s", async (_, bytes, readable, unreadable) => {
    await chain();
    world.objects.set(nameOf(3), bytes);
    const newest = await ladder().newest();
    expect(newest.checkpoint?.header.seq).toBe(readable);
    expect(newest).toMatchObject({ top: 5, unreadable, salvagedEpoch: 0 });
  });

  test("when what it rests on is gone, and what is below is gone on from", async () => {
    await chain();
    world.objects.delete(nameOf(4));
    const newest = await ladder().newest();
    expect([newest.checkpoint?.header.seq, newest.top, newest.unreadable]).toEqual([3, 5, 1]);
  });

  test("when it names itself or a later one", async () => {
    const digest = "0".repeat(64);
    for (const seq of [7, 8]) {
      const store = new Map([[nameOf(7), framed(7, { delta: { seq, digest } })]]);
      one.store.objects.clear();
      for (const [name, bytes] of store) one.store.objects.set(name, bytes);
      expect(await ladder().newest()).toMatchObject({ checkpoint: undefined, unreadable: 1 });
    }
  });

  test("is not judged by its numbers: the digest tells one object from another", async () => {
    await chain();
    const frame = world.frames().get(3)!;
    // The same state by the same owner, written at another attempt.
    const writer = { ...frame.header.writer, nonce: "another attempt" };
    const other = encodeFrame({ header: { ...frame.header, writer }, payload: frame.payload });
    expect(frameDigest(other)).not.toBe(frameDigest(world.objects.get(nameOf(3))!));
    world.objects.set(nameOf(3), other);
    expect((await ladder().newest()).checkpoint?.header.seq).toBe(3);
  });
});

describe("the state of a chain", () => {
  test("is refused where a delta is left out, doubled or exchanged", async () => {
    for (const key of [1, 2, 3]) {
      counts([key]);
      await write();
    }
    const checkpoint = (await ladder().newest()).checkpoint!;
    const [whole, first] = checkpoint.bases;
    const wrong = [[whole!], [whole!, first!, first!], [whole!, checkpoint]];
    for (const between of wrong) {
      const tried = wholeState(plain, { ...checkpoint, bases: between });
      await expect(tried).rejects.toThrow(StreamError);
    }
  });
});

describe("pruning", () => {
  test("keeps the newest three whole states, all since, and what any of that rests on", async () => {
    for (let time = 0; time < 60; time++) {
      counts([time]);
      await write();
    }
    const left = bases();
    const whole = Object.values(left).filter((base) => base === "whole");
    expect(whole).toHaveLength(3);
    for (const base of Object.values(left))
      if (base !== "whole") expect(left).toHaveProperty(`${base}`);
    expect(Object.keys(left).length).toBeLessThanOrEqual(51);
  });

  test("leaves a base that lies below what is kept", async () => {
    const base = framed(1);
    one.store.objects.set(nameOf(1), base);
    for (const seq of [2, 3, 4, 5, 6, 7]) one.store.objects.set(nameOf(seq), framed(seq));
    const delta = { seq: 1, digest: frameDigest(base) };
    one.store.objects.set(nameOf(8), framed(8, { delta }));
    await ladder().prune([8, 7, 6, 5, 4, 3, 2, 1], 0);
    expect(Object.keys(bases()).map(Number)).toEqual([1, 4, 5, 6, 7, 8]);
  });
});

function framed(seq: number, parts: Partial<CheckpointHeader> = {}): Uint8Array {
  return encodeFrame(checkpointFrame(seq, { job: "job", ...parts }));
}
