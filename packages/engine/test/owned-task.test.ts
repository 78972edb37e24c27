import { beforeEach, describe, expect, test } from "vitest";
import { StreamError } from "../src/errors.ts";
import { assign, gate, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld } from "./fakes/fake-process.ts";
import { settle, VirtualClock } from "./fakes/virtual-clock.ts";
import { columnsOf, record } from "./logged-records.ts";

let world: FakeWorld;
let one: FakeProcess;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
});

/** What was told of the window that begins at 0. */
function told(by?: string): string[] {
  return world.rows
    .filter((row) => row.windowStart === 0 && (by === undefined || row.by === by))
    .map(({ status, version, records }) => `${status}@${version} x${records}`);
}

describe("one cycle", () => {
  test("publishes, waits for the acknowledgement, checkpoints, and commits last", async () => {
    world.log.append(0, record(0, { eventTime: 5 }), record(1, { eventTime: 7 }));
    await assign(one, 0);
    one.trace.length = 0;
    await live(5, one);
    expect(one.trace).toEqual([
      "publish p0 1+0",
      "acked p0",
      "checkpoint p0 3 created",
      "checkpointed p0",
      "commit p0 2",
    ]);
  });

  test("creates no checkpoint before its results are acknowledged", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    const ack = gate();
    one.beforeAck = ack.wait;
    await live(20, one);
    expect(world.kinds()).toBe("claim checkpoint");
    expect(told()).toEqual([]);
    ack.open();
    await live(1, one);
    expect(world.kinds()).toBe("claim checkpoint checkpoint");
    expect(told()).toEqual(["early@2 x1"]);
  });

  test("checkpoints what was captured, not what came while it was being published", async () => {
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    await live(4, one);
    world.log.append(0, record(1, { eventTime: 6 }));
    one.source.deliver();
    await settle();
    world.log.append(0, record(2, { eventTime: 7 }));
    one.source.deliver();
    const ack = gate();
    one.beforeAck = ack.wait;
    await world.clock.advance(1_000);
    world.log.append(0, record(3, { eventTime: 8 }));
    one.source.deliver();
    expect(one.runner.tasks[0]?.task.nextOffset).toBe(4);
    ack.open();
    await settle();
    expect(world.frames().get(3)?.header).toMatchObject({ log: { nextOffset: 3 } });
    await live(5, one);
    expect(world.frames().get(4)?.header).toMatchObject({ log: { nextOffset: 4 } });
    expect(told()).toEqual(["early@2 x1", "early@4 x2", "early@6 x3", "early@8 x4"]);
  });

  test("says and writes nothing when nothing changed", async () => {
    await assign(one, 0);
    one.trace.length = 0;
    await live(25, one);
    expect(one.trace).toEqual([]);
  });

  test("follows at once when a window closes", async () => {
    await assign(one, 0);
    world.log.append(0, record(0, { eventTime: 5 }), record(1, { eventTime: 70 }));
    one.source.deliver();
    await settle();
    expect(told()).toEqual(["final@4 x1"]);
  });

  test("leaves results of open windows to the beat when one closes in between", async () => {
    const statuses = (): string[] => world.rows.map(({ status }) => status);
    await assign(one, 0);
    world.log.append(0, record(0, { eventTime: 5 }), record(1, { eventTime: 70 }));
    one.source.deliver();
    await settle();
    const closed = statuses();
    expect(new Set(closed)).toEqual(new Set(["final"]));
    await live(1, one);
    expect(new Set(statuses().slice(closed.length))).toEqual(new Set(["early"]));
  });

  test("keeps its beat while windows close more often", async () => {
    const earlyRows = (): number => world.rows.filter(({ status }) => status === "early").length;
    const toldAfterTenths: number[] = [];
    await assign(one, 0);
    for (let tenth = 1; tenth <= 30; tenth++) {
      const before = earlyRows();
      world.log.append(0, record(tenth - 1, { eventTime: tenth * 70 }));
      one.source.deliver();
      await world.clock.advance(100);
      if (earlyRows() > before) toldAfterTenths.push(tenth);
    }
    expect(toldAfterTenths).toEqual([10, 20, 30]);
  });

  test("without early results publishes only what closed", async () => {
    one = new FakeProcess(world, "one", { onlyFinal: true });
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(one, 0);
    await live(3, one);
    expect(world.rows).toEqual([]);
    world.log.append(0, record(1, { eventTime: 70 }));
    await live(3, one);
    expect(world.rows.map(({ status }) => status)).toEqual(["final"]);
  });

  test("goes on publishing when the store is down, and commits nothing", async () => {
    await assign(one, 0);
    one.store.onCreate = () => "refused";
    one.trace.length = 0;
    for (let offset = 0; offset < 10; offset++) {
      world.log.append(0, record(offset, { eventTime: offset }));
      await live(1, one);
    }
    expect(told()).toHaveLength(10);
    expect(one.trace).toContain("checkpoint failed p0");
    expect(one.trace.join()).not.toContain("commit");
    one.store.onCreate = () => "none";
    await live(8, one);
    expect(one.trace.at(-1)).toBe("commit p0 10");
  });

  test("whose results are not acknowledged in time ends the process", async () => {
    world.log.append(0, record(0));
    await assign(one, 0);
    const late = new StreamError("PUBLISH_DEADLINE", "stop", "no answer for 120 s");
    one.beforeAck = async () => {
      throw late;
    };
    await live(2, one);
    expect(one.fatal).toEqual([late]);
    expect(world.kinds()).toBe("claim checkpoint");
  });
});

describe("back pressure", () => {
  test("stops intake while too many rows wait, and lets it go on when they are out", async () => {
    await assign(one, 0);
    const late = Array.from({ length: 200_001 }, (_, at) => record(at + 1, { eventTime: 0 }));
    late.unshift(record(0, { eventTime: 1_000 }));
    late.push(record(200_002, { eventTime: 0 }));
    world.log.records.set(0, late);
    const ack = gate();
    one.beforeAck = ack.wait;
    one.source.deliver(200_002);
    expect(one.runner.tasks[0]?.task.nextOffset).toBe(200_002);
    expect(one.source.reading).toEqual([]);
    await world.clock.advance(1_000);
    expect(one.source.reading).toEqual([]);
    ack.open();
    await settle();
    expect(one.source.reading).toEqual([0]);
    expect(one.trace.slice(-4)).toEqual([
      "pause p0",
      "publish p0 0+200001",
      "acked p0",
      "resume p0",
    ]);
    await live(1, one);
    expect(one.runner.tasks[0]?.task.counts).toMatchObject({ in: 200_003, late: 200_002 });
  });
});

describe("the canary", () => {
  async function untilCheckpoint(): Promise<void> {
    world.log.append(0, record(0, { eventTime: 5 }), record(1, { eventTime: 7 }));
    await assign(one, 0);
    await live(6, one);
  }

  test("is read again after a restart, compared, and not counted twice", async () => {
    await untilCheckpoint();
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    expect(two.trace).toContain("start p0 at 1");
    world.log.append(0, record(2, { eventTime: 8 }));
    await live(2, two);
    expect(told("two")).toEqual(["early@6 x3"]);
    expect(two.fatal).toEqual([]);
  });

  test("of another topic under the same name ends the process", async () => {
    await untilCheckpoint();
    world.log.records.set(0, [record(0, { eventTime: 5 }), record(1, { eventTime: 6 })]);
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    expect(() => two.source.deliver()).toThrow(expect.objectContaining({ code: "LOG_REPLACED" }));
  });

  test("is compared again when the group gives the same task back", async () => {
    await untilCheckpoint();
    await assign(one, 0);
    expect(one.trace.filter((line) => line.startsWith("claim"))).toHaveLength(1);
    world.log.records.set(
      0,
      [0, 1, 2].map((offset) => record(offset, { eventTime: 99 })),
    );
    expect(() => one.source.deliver()).toThrow(expect.objectContaining({ code: "LOG_REPLACED" }));
  });

  test("may lie some offsets before the next record: markers and removed records in between", async () => {
    await assign(one, 0);
    world.log.append(0, record(0, { eventTime: 5 }));
    world.log.high.set(0, 4);
    one.source.deliver();
    // An empty batch, as compaction leaves it, moves the position on.
    expect(one.runner.apply(0, columnsOf([]), 4)).toBe("applied");
    await live(6, one);
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    expect(two.trace).toContain("start p0 at 0");
    two.source.deliver();
    expect(two.runner.tasks[0]?.task.nextOffset).toBe(4);
    world.log.append(0, record(4, { eventTime: 6 }));
    await live(2, two);
    expect(told("two")).toEqual(["early@10 x2"]);
  });
});

describe("an unknown schema", () => {
  test("becomes a decision: durable first, then in force, and for every later owner", async () => {
    await assign(one, 0);
    await live(31, one);
    one.trace.length = 0;
    one.runner.schemaUnknown(0, 42);
    one.runner.schemaUnknown(0, 42);
    await settle();
    expect(one.trace).toEqual([
      "pause p0",
      "checkpoint p0 3 created",
      "checkpointed p0",
      "commit p0 0",
      "resume p0",
    ]);
    expect([...one.runner.unknownSchemas(0)]).toEqual([42]);
    const two = new FakeProcess(world, "two");
    await assign(two, 0);
    expect([...two.runner.unknownSchemas(0)]).toEqual([42]);
  });

  test("ends the process before its records where the operator wants to decide, and changes nothing", async () => {
    const halting = new FakeProcess(world, "halting", { unknownSchema: "halt" });
    await assign(halting, 0);
    await live(31, halting);
    halting.runner.schemaUnknown(1, 42);
    expect(halting.fatal).toEqual([]);
    halting.runner.schemaUnknown(0, 42);
    await settle();
    expect(halting.fatal).toMatchObject([{ code: "SCHEMA_UNKNOWN", exitCode: 78 }]);
    expect(String(halting.fatal[0])).toMatch(
      /partition 0: the registry has not known schema id 42 for 30 s; .*UNKNOWN_SCHEMA=dead-letter$/,
    );
    expect([...halting.runner.unknownSchemas(0)]).toEqual([]);
  });

  test("waits until the claim is old enough for former owners to have noticed it", async () => {
    await assign(one, 0);
    one.runner.schemaUnknown(0, 42);
    await live(29, one);
    expect([...one.runner.unknownSchemas(0)]).toEqual([]);
    await live(2, one);
    expect([...one.runner.unknownSchemas(0)]).toEqual([42]);
  });

  test("is no decision when it could not be written", async () => {
    await assign(one, 0);
    await live(31, one);
    one.store.onCreate = () => "refused";
    one.runner.schemaUnknown(0, 42);
    await settle();
    expect([...one.runner.unknownSchemas(0)]).toEqual([]);
    expect(one.source.reading).toEqual([0]);
    await live(10, one);
    expect([...one.runner.unknownSchemas(0)]).toEqual([]);
    one.store.onCreate = () => "none";
    await live(10, one);
    expect([...one.runner.unknownSchemas(0)]).toEqual([42]);
  });

  test("of a partition that is not ours is nobody's business here", () => {
    one.runner.schemaUnknown(7, 42);
    expect([...one.runner.unknownSchemas(7)]).toEqual([]);
  });
});

describe("a frozen owner", () => {
  test("publishes nothing after it wakes up behind a successor's decision", async () => {
    const clock = new VirtualClock();
    const frozen = new FakeProcess(world, "frozen", { clock });
    world.log.append(0, record(0, { eventTime: 5 }));
    await assign(frozen, 0);
    frozen.source.deliver();
    // Another process takes over, and finds the partition quiet.
    await assign(one, 0);
    await live(40, one);
    expect(told()).toEqual(["early@2 x1", "final@3 x1"]);
    // Late by that decision, which the frozen one does not know of.
    world.log.append(0, record(1, { eventTime: 6 }));
    await live(2, one);
    frozen.source.deliver();
    clock.freeze(42_000);
    await clock.advance(1_000);
    expect(told("frozen")).toEqual([]);
    expect(frozen.trace).toContain("fenced p0");
    expect([...world.seen.lateOffsets]).toEqual([1]);
  });
});
