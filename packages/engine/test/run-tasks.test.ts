import { beforeEach, describe, expect, test } from "vitest";
import { StreamError } from "../src/errors.ts";
import { assign, gate, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld, testJob } from "./fakes/fake-process.ts";
import type { StoreFault } from "./fakes/faulty-store.ts";
import { settle, VirtualClock } from "./fakes/virtual-clock.ts";
import { columnsOf, record } from "./logged-records.ts";
import { batchOracle } from "./oracle.ts";

let world: FakeWorld;
let one: FakeProcess;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
});

const outage = new StreamError("SERVER_UNAVAILABLE", "retry", "no broker answers");

describe("a new assignment", () => {
  test("goes on with the task in memory when nobody else took it", async () => {
    world.log.append(0, record(0, { eventTime: 5 }), record(1, { eventTime: 6 }));
    await assign(one, 0);
    await live(1, one);
    const [task] = one.runner.tasks;
    await assign(one, 0);
    expect(one.runner.tasks[0]).toBe(task);
    expect(one.trace.at(-1)).toBe("start p0 at 1");
    await live(6, one);
    expect(world.kinds()).toBe("claim checkpoint checkpoint");
    expect(task?.task.counts.in).toBe(2);
  });

  test("claims again when somebody else had it in between", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    await live(1, one);
    const [task] = one.runner.tasks;
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    await assign(one, 0);
    expect(one.runner.tasks).toHaveLength(1);
    expect(one.runner.tasks[0]).not.toBe(task);
    expect(world.kinds()).toBe("claim checkpoint claim claim");
  });

  test("takes a task up once that turns out to be lost while it waits", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    await live(4, one);
    world.log.append(0, record(1, { eventTime: 6 }));
    one.source.deliver();
    await settle();
    const ack = gate();
    one.beforeAck = ack.wait;
    world.log.append(0, record(2, { eventTime: 7 }));
    await live(2, one);
    await assign(new FakeProcess(world, "two"), 0);
    await assign(one, 0);
    ack.open();
    await settle();
    await live(5, one);
    expect(one.trace.filter((line) => line === "fenced p0")).toHaveLength(1);
    expect(one.trace.filter((line) => line.startsWith("start p0"))).toHaveLength(2);
  });

  test("takes no records before it is taken up", async () => {
    world.log.append(0, record(0));
    await assign(one, 0);
    const answer = gate();
    one.source.beforeDescribe = answer.wait;
    await assign(one, 0);
    expect(one.runner.apply(0, columnsOf([record(0)]), 1)).toBe("later");
    one.runner.atLogEnd(0, 1);
    answer.open();
    await settle();
    one.source.deliver();
    expect(one.runner.tasks[0]?.task.nextOffset).toBe(1);
  });

  test("drops the tasks that are no longer ours: they say nothing any more", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    world.log.append(1, record(0, { eventTime: 5 }));
    await assign(one, 0, 1);
    one.source.deliver();
    await assign(one, 1);
    await world.clock.advance(10_000);
    expect(one.trace.filter((line) => line.startsWith("publish"))).toEqual(["publish p1 1+0"]);
    expect(one.runner.tasks.map(({ task }) => task.partition)).toEqual([1]);
    expect(one.runner.apply(0, columnsOf([record(1)]), 2)).toBe("later");
    expect(world.kinds(0)).toBe("claim checkpoint");
  });

  test("that follows another at once takes each partition over one after the other", async () => {
    const answer = gate();
    one.source.beforeDescribe = answer.wait;
    for (let join = 0; join < 5; join++) await assign(one, 0);
    answer.open();
    await settle();
    expect(one.source.reading).toEqual([0]);
    expect(one.trace.filter((line) => line.startsWith("start"))).toHaveLength(1);
    expect(world.kinds()).toBe("claim checkpoint");
    world.log.append(0, record(0, { eventTime: 5 }));
    await live(10, one);
    expect(one.trace.join()).not.toContain("fenced");
    expect(one.runner.tasks).toHaveLength(1);
  });

  test("waits for an interrupted take-over, whose late claim would fence it", async () => {
    const firstClaim = gate();
    let creates = 0;
    one.store.onCreate = async (): Promise<StoreFault> => {
      if (creates++ === 0) await firstClaim.wait();
      return "none";
    };
    await assign(one, 0);
    await assign(one);
    await assign(one, 0);
    expect(one.source.reading).toEqual([]);
    firstClaim.open();
    await settle();
    world.log.append(0, record(0, { eventTime: 5 }));
    await live(10, one);
    expect(one.runner.tasks).toHaveLength(1);
    expect(one.trace.join()).not.toContain("fenced");
    expect(world.kinds()).toBe("claim claim checkpoint checkpoint");
  });
});

describe("before a rejoin", () => {
  test("everything is published and durable", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    one.source.deliver();
    await one.runner.beforeRejoin(15_000);
    expect(one.trace.slice(-5)).toEqual([
      "publish p0 1+0",
      "acked p0",
      "checkpoint p0 3 created",
      "checkpointed p0",
      "commit p0 1",
    ]);
    expect(one.runner.tasks).toHaveLength(1);
  });

  test("writes nothing when nothing changed", async () => {
    await assign(one, 0);
    await one.runner.beforeRejoin(15_000);
    expect(world.kinds()).toBe("claim checkpoint");
  });

  test("gives up when the budget is used, and never rejects", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    one.source.deliver();
    one.beforeAck = () => new Promise(() => {});
    let done = false;
    const settling = one.runner.beforeRejoin(15_000).then(() => (done = true));
    await world.clock.advance(14_999);
    expect(done).toBe(false);
    await world.clock.advance(1);
    expect(done).toBe(true);
    await settling;
  });
});

describe("a drain", () => {
  test("stops intake, publishes, checkpoints, commits, and says that all is durable", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    world.log.append(1, record(0, { eventTime: 5 }), record(1, { eventTime: 6 }));
    await assign(one, 0, 1);
    one.source.deliver();
    expect(await one.runner.drain(25_000)).toBe(true);
    expect([...world.log.committed]).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(one.runner.apply(0, columnsOf([record(1)]), 2)).toBe("later");
    expect(one.runner.tasks).toEqual([]);
    const lines = one.trace.length;
    await world.clock.advance(60_000);
    expect(one.trace).toHaveLength(lines);
  });

  test.each([
    ["the store refuses", () => (one.store.onCreate = () => "refused")],
    ["nothing is acknowledged", () => (one.beforeAck = () => new Promise(() => {}))],
  ])("says within its budget that it is not durable when %s", async (_, damage) => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    one.source.deliver();
    damage();
    const draining = one.runner.drain(25_000);
    await world.clock.advance(25_000);
    expect(await draining).toBe(false);
    expect(one.runner.tasks).toEqual([]);
  });

  test("counts a task that somebody else took as settled", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    one.source.deliver();
    await assign(new FakeProcess(world, "two"), 0);
    expect(await one.runner.drain(25_000)).toBe(true);
    expect(one.fatal).toEqual([]);
  });

  test("ends a take-over that waits for a server", async () => {
    one.source.beforeDescribe = async () => {
      throw outage;
    };
    await assign(one, 0);
    expect(await one.runner.drain(25_000)).toBe(true);
    const lines = one.trace.length;
    await world.clock.advance(60_000);
    expect(one.trace).toHaveLength(lines);
  });

  test("after which the next process has nothing to repeat", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    one.source.deliver();
    await one.runner.drain(25_000);
    const rows = world.rows.length;
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    await live(10, two);
    expect(world.rows).toHaveLength(rows);
  });
});

describe("a task that failed half way", () => {
  test("writes no checkpoint over results that did not get out, whoever asks for one", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    const failure = new StreamError("PUBLISH_DEADLINE", "stop", "not acknowledged");
    const answer = gate();
    one.beforeAck = async () => {
      await answer.wait();
      throw failure;
    };
    await live(1, one);
    const flushed = one.runner.beforeRejoin(1_000);
    answer.open();
    await settle();
    await world.clock.advance(1_000);
    await flushed;
    expect(one.fatal).toEqual([failure]);
    await one.runner.drain(1_000);
    expect(world.kinds()).toBe("claim checkpoint");
  });

  test("writes no checkpoint over half a batch", async () => {
    const reason = "short frame";
    const bad = Array.from({ length: 150 }, (_, at) => record(at + 1, { rejected: reason }));
    await assign(one, 0);
    expect(one.runner.apply(0, columnsOf([record(0)]), 1)).toBe("applied");
    expect(() => one.runner.apply(0, columnsOf(bad), 151)).toThrow(/more than 1 %/);
    await one.runner.drain(1_000);
    expect(world.kinds()).toBe("claim checkpoint");
  });
});

test("any mix of owners, crashes, outages and joins ends with the oracle's results", async () => {
  const records = Array.from({ length: 120 }, (_, offset) =>
    record(offset, { eventTime: offset * 7 - (offset % 9 === 0 ? 40 : 0), key: `k${offset % 3}` }),
  );
  let process = one;
  const clock = new VirtualClock();
  const zombies: FakeProcess[] = [];
  for (let round = 0; round < 12; round++) {
    world.log.append(0, ...records.slice(round * 10, round * 10 + 10));
    process.store.onCreate = () => (round % 4 === 1 ? "lost answer" : "none");
    process.store.onRead = () => (round % 4 === 1 && round > 4 ? "refused" : "none");
    await assign(process, 0);
    await live(round % 3 === 0 ? 2 : 7, process, ...zombies);
    if (round % 2 === 0) {
      zombies.push(process);
      const parts = round === 6 ? { clock } : {};
      process = new FakeProcess(world, `process ${round}`, parts);
    }
  }
  const last = new FakeProcess(world, "last");
  await assign(last, 0);
  await live(40, last);
  const quiet = { quietAt: 119 * 7 + 30_000, nextOffset: 120 };
  const oracle = batchOracle(testJob, [...records.map((record) => ({ record })), quiet]);
  expect(world.seen.results).toEqual(oracle.results);
});
