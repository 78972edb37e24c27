import { beforeEach, describe, expect, test } from "vitest";
import { assign, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld } from "./fakes/fake-process.ts";
import type { StoreFault } from "./fakes/faulty-store.ts";
import { columnsOf, record } from "./logged-records.ts";

let world: FakeWorld;
let one: FakeProcess;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
});

/** One record of the window that begins at 0, published, checkpointed, and then quiet for `seconds`. */
async function quiet(seconds: number): Promise<void> {
  world.log.append(0, record(0, { eventTime: 5 }));
  await assign(one, 0);
  await live(seconds, one);
}

function told(by = "one"): string[] {
  return world.rows
    .filter((row) => row.by === by)
    .map(({ status, version, records }) => `${status}@${version} x${records}`);
}

function decisions(): unknown[] {
  return [...world.frames().values()].flatMap(({ header }) =>
    header.kind === "checkpoint" ? header.decisions : [],
  );
}

describe("a quiet partition", () => {
  // Proofs of the log end come at 0 s, 1 s, …; the one at 30 s says that it was quiet for 30 s.
  test("closes its windows after the idle timeout, and not a beat earlier", async () => {
    await quiet(30);
    expect(told()).toEqual(["early@2 x1"]);
    await live(1, one);
    expect(told()).toEqual(["early@2 x1", "final@3 x1"]);
    expect(decisions()).toEqual([{ offset: 1, watermark: 60, why: "idle" }]);
  });

  test("makes the decision durable before it publishes what the decision closes", async () => {
    await quiet(30);
    one.trace.length = 0;
    await live(1, one);
    expect(one.trace).toEqual([
      "pause p0",
      "checkpoint p0 4 created",
      "checkpointed p0",
      "commit p0 1",
      "decided p0",
      "resume p0",
      "publish p0 1+0",
      "acked p0",
    ]);
  });

  test("checkpoints the advance itself afterwards, and decides once", async () => {
    await quiet(80);
    expect(decisions()).toHaveLength(1);
    const last = [...world.frames().values()].at(-1)?.header;
    expect(last).toMatchObject({ kind: "checkpoint", watermark: 60, decisions: [] });
  });

  test("is not quiet while records come", async () => {
    await quiet(20);
    world.log.append(0, record(1, { eventTime: 6 }));
    await live(30, one);
    expect(told()).toEqual(["early@2 x1", "early@4 x2"]);
    await live(1, one);
    expect(told().at(-1)).toBe("final@5 x2");
  });

  test("is not quiet without proof of the log end, however long the silence", async () => {
    await quiet(3);
    await world.clock.advance(3_600_000);
    expect(told()).toEqual(["early@2 x1"]);
  });

  test("measures by the log's time and the proven quiet, never by the wall clock", async () => {
    world.clock.wallAheadMs += 1e12;
    // Windows end at 60_000_060, far from log time 5 + 30 s.
    world.log.append(0, record(0, { eventTime: 500_000, recordTime: 5 }));
    await assign(one, 0);
    await live(60, one);
    expect(told()).toEqual(["early@2 x1"]);
  });

  test("with Infinity as timeout never closes by itself", async () => {
    one = new FakeProcess(world, "one", { idleTimeoutMs: Number.POSITIVE_INFINITY });
    await quiet(300);
    expect(told()).toEqual(["early@2 x1"]);
  });
});

describe("a decision", () => {
  test("whose finals were not published before a crash is taken again by the next owner", async () => {
    await quiet(30);
    // The process dies between the durable decision and the acknowledgement of its finals.
    one.beforeAck = () => new Promise(() => {});
    await live(1, one);
    expect(told()).toEqual(["early@2 x1"]);
    expect(one.trace).toContain("decided p0");
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    await live(2, two);
    expect(told("two")).toEqual(["final@3 x1"]);
    // And what is late by it is late for the next owner, too.
    world.log.append(0, record(1, { eventTime: 6 }));
    await live(2, two);
    expect([...world.seen.lateOffsets]).toEqual([1]);
  });

  test("stops intake until it is durable: records meanwhile are judged behind it", async () => {
    await quiet(30);
    const { promise, resolve } = Promise.withResolvers<void>();
    one.store.onCreate = async (): Promise<StoreFault> => {
      await promise;
      return "none";
    };
    await live(1, one);
    world.log.append(0, record(1, { eventTime: 6 }));
    await live(3, one);
    expect(one.runner.apply(0, columnsOf([record(1)]), 2)).toBe("later");
    expect(one.runner.tasks[0]?.task.nextOffset).toBe(1);
    resolve();
    await live(2, one);
    expect(told().at(-1)).toBe("final@3 x1");
    expect([...world.seen.lateOffsets]).toEqual([1]);
  });

  test("that the store refuses is no decision; it is taken at a later beat", async () => {
    await quiet(30);
    one.store.onCreate = () => "refused";
    await live(3, one);
    expect(one.source.reading).toEqual([0]);
    world.log.append(0, record(1, { eventTime: 6 }));
    await live(1, one);
    one.store.onCreate = () => "none";
    expect(told()).toEqual(["early@2 x1", "early@4 x2"]);
    await live(31, one);
    expect(told().at(-1)).toBe("final@5 x2");
  });

  test("of unknown outcome holds intake until the store tells what became of it", async () => {
    await quiet(30);
    one.store.onCreate = () => "lost answer";
    one.store.onRead = () => "refused";
    await live(5, one);
    expect(told()).toEqual(["early@2 x1"]);
    expect(one.source.reading).toEqual([]);
    one.store.onCreate = () => "none";
    one.store.onRead = () => "none";
    await live(2, one);
    expect(one.source.reading).toEqual([0]);
    expect(told()).toEqual(["early@2 x1", "final@3 x1"]);
  });

  test("that got through unnoticed stands, although the attempt after it was refused", async () => {
    await quiet(30);
    one.store.onCreate = () => "lost answer";
    one.store.onRead = () => "refused";
    await live(1, one);
    // Now reading works: the attempt is recognised, and the checkpoint that should follow it is refused.
    one.store.onCreate = (name) => (name.endsWith("4") ? "none" : "refused");
    one.store.onRead = () => "none";
    await live(3, one);
    world.log.append(0, record(1, { eventTime: 6 }));
    await live(2, one);
    one.store.onCreate = () => "none";
    await live(3, one);
    // A successor that begins at the recognised checkpoint must find nothing else in the log.
    expect(told()).toEqual(["early@2 x1", "final@3 x1"]);
    expect([...world.seen.lateOffsets]).toEqual([1]);
  });

  test("is dropped with the task when somebody else took it", async () => {
    await quiet(30);
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    await live(1, one);
    expect(one.trace).toContain("fenced p0");
    expect(one.trace).not.toContain("decided p0");
    expect(told()).toEqual(["early@2 x1"]);
  });
});
