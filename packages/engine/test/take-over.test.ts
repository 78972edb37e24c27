import { beforeEach, describe, expect, test } from "vitest";
import { StreamError } from "../src/errors.ts";
import { assign, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld, testJob } from "./fakes/fake-process.ts";
import { settle } from "./fakes/virtual-clock.ts";
import { columnsOf, record } from "./logged-records.ts";
import { batchOracle } from "./oracle.ts";

let world: FakeWorld;
let one: FakeProcess;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
});

const outage = new StreamError("SERVER_UNAVAILABLE", "retry", "no broker answers");

describe("taking over", () => {
  test("claims, makes its beginning durable, and only then reads", async () => {
    world.log.append(0, record(0));
    world.log.low.set(0, 0);
    await assign(one, 0);
    expect(one.trace).toEqual([
      "claim p0 1 created",
      "checkpoint p0 2 created",
      "checkpointed p0",
      "commit p0 0",
      "acquired p0",
      "start p0 at 0",
    ]);
  });

  test("does not read before its beginning is durable", async () => {
    one.store.onCreate = (name) => (name.endsWith("1") ? "none" : "refused");
    await assign(one, 0);
    expect(one.trace.at(-1)).toBe("retried p0");
    expect(one.source.reading).toEqual([]);
    one.store.onCreate = () => "none";
    await world.clock.advance(500);
    expect(one.source.reading).toEqual([0]);
  });

  test("of several partitions happens side by side, in folders of their own", async () => {
    await assign(one, 0, 1, 2);
    expect(one.source.reading).toEqual([0, 1, 2]);
    expect([0, 1, 2].map((partition) => world.kinds(partition))).toEqual(
      Array(3).fill("claim checkpoint"),
    );
  });

  test("waits out an outage, longer each time up to 30 s", async () => {
    one.source.beforeDescribe = async () => {
      throw outage;
    };
    await assign(one, 0);
    const attemptsAt: number[] = [];
    for (let ms = 0; ms < 100_000; ms += 500) {
      const before = one.trace.length;
      await world.clock.advance(500);
      if (one.trace.length > before) attemptsAt.push(ms + 500);
    }
    expect(attemptsAt).toEqual([500, 1_500, 3_500, 7_500, 15_500, 31_500, 61_500, 91_500]);
    one.source.beforeDescribe = async () => {};
    await world.clock.advance(30_000);
    expect(one.source.reading).toEqual([0]);
    expect(one.fatal).toEqual([]);
  });

  test.each([
    ["LOG_REPLACED", () => (world.log.clusterId = "other")],
    ["LOG_REPLACED", () => world.log.records.set(0, [])],
    ["RECORDS_EXPIRED", () => world.log.low.set(0, 2)],
    [
      "STATE_LOST",
      () => {
        world.objects.clear();
        world.log.low.set(0, 1);
      },
    ],
    [
      "STATE_LOST",
      () => {
        for (const name of world.objects.keys()) world.objects.set(name, Buffer.from("torn"));
      },
    ],
  ])("ends with %s and exit code 78", async (code, damage) => {
    world.log.append(0, record(0));
    await assign(one, 0);
    await live(6, one);
    damage();
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    expect(two.fatal).toMatchObject([{ code, exitCode: 78, disposition: "stop" }]);
    expect(two.source.reading).toEqual([]);
  });

  test("ends with STATE_INCOMPATIBLE when settings changed", async () => {
    await assign(one, 0);
    const { job } = one.options;
    const two = new FakeProcess(world, "two", { job: { ...job, topology: "other" } });
    await assign(two, 0);
    expect(two.fatal).toMatchObject([{ code: "STATE_INCOMPATIBLE", exitCode: 78 }]);
  });

  test("goes back to an older checkpoint when the newest is broken, and outranks what rested on it", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    await live(6, one);
    expect(world.kinds()).toBe("claim checkpoint checkpoint");
    const newest = world.objects.get("job/p0000/000000000003") ?? new Uint8Array();
    newest[20] = (newest[20] ?? 0) ^ 1;
    // Rests on a decision that was in the broken checkpoint: nobody computes it again.
    const key = Buffer.from("ghost");
    const ghost = { key, windowStart: 60, windowEnd: 120 };
    const history = {
      published: async () => ({ slots: [ghost], complete: true }),
      newestEpoch: async () => ({ epoch: 0, complete: true }),
    };
    const two = new FakeProcess(world, "two", { history });
    await assign(two, 0);
    expect(two.runner.tasks).toEqual([]);
    await live(40, two);
    expect(two.runner.tasks[0]?.jobEpoch).toBe(2);
    const said = world.rows.filter(({ by }) => by === "two");
    expect(said).toContainEqual(
      expect.objectContaining({ jobEpoch: 2, key: "ghost", windowStart: 60, records: 0 }),
    );
    expect(said.at(-1)).toMatchObject({ jobEpoch: 2, version: 2, records: 1 });
  });
});

describe("two processes with one task", () => {
  test("who lost the partition while waiting to take back results leaves them alone", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    await live(6, one);
    const newest = world.objects.get("job/p0000/000000000003") ?? new Uint8Array();
    newest[20] = (newest[20] ?? 0) ^ 1;
    const ghost = { key: Buffer.from("ghost"), windowStart: 60, windowEnd: 120 };
    const history = {
      published: async () => ({ slots: [ghost], complete: true }),
      newestEpoch: async () => ({ epoch: 0, complete: true }),
    };
    const two = new FakeProcess(world, "two", { history });
    await assign(two, 0);
    await live(10, two);
    await assign(two);
    await live(30, two);
    expect(world.rows.filter(({ by }) => by === "two")).toEqual([]);
  });

  test("the older owner is fenced at its next checkpoint, commits nothing, and all results are right", async () => {
    const two = new FakeProcess(world, "two");
    const records = [5, 30, 65, 61, 100, 70, 130, 200].map((eventTime, offset) =>
      record(offset, { eventTime, key: offset % 2 ? "a" : "b" }),
    );
    world.log.append(0, ...records.slice(0, 3));
    await assign(one, 0);
    await live(3, one);
    await assign(two, 0);
    one.trace.length = 0;
    world.log.append(0, ...records.slice(3, 6));
    await live(3, one, two);
    expect(one.trace).toContain("fenced p0");
    expect(one.trace.join()).not.toContain("commit");
    world.log.append(0, ...records.slice(6));
    await live(60, two);
    const quiet = { quietAt: 200 + 30_000, nextOffset: 8 };
    const oracle = batchOracle(testJob, [...records.map((record) => ({ record })), quiet]);
    expect(world.seen.results).toEqual(oracle.results);
    expect(world.seen.lateOffsets).toEqual(new Set(oracle.lateOffsets));
  });

  test("claiming at once get different numbers, and each that is overtaken is fenced", async () => {
    const two = new FakeProcess(world, "two");
    one.source.assign(0);
    two.source.assign(0);
    await settle();
    const claims = [...world.frames()].filter(([, { header }]) => header.kind === "claim");
    expect(new Set(claims.map(([, { header }]) => header.writer.instance))).toEqual(
      new Set(["one", "two"]),
    );
    world.log.append(0, record(0, { eventTime: 5 }));
    await live(6, one, two);
    expect([...one.trace, ...two.trace].filter((line) => line === "fenced p0")).not.toEqual([]);
    expect(world.seen.results.size).toBe(1);
    expect([...one.fatal, ...two.fatal]).toEqual([]);
  });

  test("who was fenced while the group still gives it the task claims it again after 3 s", async () => {
    const two = new FakeProcess(world, "two");
    await assign(one, 0);
    await assign(two, 0);
    two.source.assign();
    world.log.append(0, record(0, { eventTime: 5 }));
    one.source.deliver();
    await world.clock.advance(5_000);
    expect(one.trace.slice(-2)).toEqual(["fenced p0", "pause p0"]);
    expect(one.runner.tasks).toEqual([]);
    expect(one.runner.apply(0, columnsOf([record(1)]), 2)).toBe("later");
    await world.clock.advance(2_999);
    expect(one.source.reading).toEqual([]);
    await world.clock.advance(1);
    expect(one.source.reading).toEqual([0]);
  });
});
