import { beforeEach, describe, expect, test } from "vitest";
import { type OperatorFlag, operatorFlags } from "../src/operator-halt.ts";
import type { OperatorDecision } from "../src/operator.ts";
import { epochAbove } from "../src/result-history.ts";
import type { RunOptions } from "../src/run-options.ts";
import { salvageEpoch } from "../src/salvage-epoch.ts";
import { encodeFrame } from "../src/checkpoint.ts";
import { assign, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld, testJob } from "./fakes/fake-process.ts";
import { checkpointFrame } from "./fakes/frames.ts";
import { ResultTopic } from "./fakes/result-topic.ts";
import { record } from "./logged-records.ts";

let world: FakeWorld;
let topic: ResultTopic;
let audited: OperatorDecision[];

beforeEach(() => {
  world = new FakeWorld();
  topic = new ResultTopic();
  audited = [];
});

const startAt = async ({ low }: { low: number }): Promise<number> => low;
const job = { name: "job", windowed: testJob, topology: "topology", startAt };

function started(
  name: string,
  permitted: readonly OperatorFlag[] = [],
  parts: Partial<RunOptions> = {},
): FakeProcess {
  return new FakeProcess(world, name, {
    job,
    results: topic.log(name),
    history: topic.history,
    operator: {
      permits: (flag) => permitted.includes(flag),
      audit: async (decision) => void audited.push(decision),
    },
    ...parts,
  });
}

const records = Array.from({ length: 40 }, (_, offset) =>
  record(offset, { eventTime: 5 + offset, values: [1] }),
);

/** Ten records are processed, checkpointed and published; the process is gone. */
async function tenProcessed(): Promise<void> {
  const one = started("one");
  await assign(one, 0);
  world.log.append(0, ...records.slice(0, 10));
  await live(6, one);
  await one.runner.drain(1_000);
}

function expire(low: number): void {
  world.log.low.set(0, low);
  const kept = world.log.records.get(0) ?? [];
  world.log.records.set(
    0,
    kept.filter(({ offset }) => offset >= low),
  );
}

/** Ten processed and ten more that nobody read, of which the first four are gone. */
async function fourExpired(): Promise<void> {
  await tenProcessed();
  world.log.append(0, ...records.slice(10, 20));
  expire(14);
}

const count = (): number | undefined => topic.documents().get("0/a")?.records;
const newest = () => [...world.frames().values()].at(-1)?.header;

describe("a halt", () => {
  const damages: [OperatorFlag, () => void][] = [
    ["accept-gap", () => expire(14)],
    ["accept-new-log", () => (world.log.clusterId = "other")],
    [
      "from-beginning",
      () => {
        world.objects.clear();
        expire(14);
      },
    ],
  ];

  test.each(damages)(
    "is lifted by --%s, which its line ends with, and by no other",
    async (flag, damage) => {
      await tenProcessed();
      world.log.append(0, ...records.slice(10, 20));
      damage();
      const others = operatorFlags.filter((one) => one !== flag);
      const halted = started("halted", others);
      await assign(halted, 0);
      expect(halted.fatal).toMatchObject([{ exitCode: 78, flag }]);
      expect(String(halted.fatal[0])).toMatch(new RegExp(`; to .*, start once with --${flag}$`));
      expect(audited).toEqual([]);
      const lifted = started("lifted", [flag]);
      await assign(lifted, 0);
      await live(32, lifted);
      expect(lifted.fatal).toEqual([]);
      expect(audited).toMatchObject([{ flag, partition: 0, instance: "lifted" }]);
      expect(newest()).toMatchObject({ operator: audited, jobEpoch: audited[0]?.jobEpoch });
    },
  );

  test("is not lifted a second time for a task that took records in this process", async () => {
    await fourExpired();
    const one = started("one", ["accept-gap"]);
    await assign(one, 0);
    await live(32, one);
    expect(count()).toBe(16);
    await assign(one);
    world.log.append(0, ...records.slice(20, 30));
    expire(24);
    await assign(one, 0);
    expect(one.fatal).toMatchObject([{ code: "RECORDS_EXPIRED" }]);
    expect(audited).toHaveLength(1);
  });

  test("of one task does not permit anything for the tasks that need nothing", async () => {
    world.log.append(1, ...records.slice(0, 5));
    await fourExpired();
    const one = started("one", [...operatorFlags]);
    await assign(one, 0, 1);
    await live(32, one);
    expect(audited.map(({ flag, partition }) => [flag, partition])).toEqual([["accept-gap", 0]]);
    expect(world.frames(1).get(2)?.header).toMatchObject({ jobEpoch: 0 });
  });
});

test("a gap is named, counted, and gone on over with what was there before it", async () => {
  await fourExpired();
  const one = started("one", ["accept-gap"]);
  await assign(one, 0);
  await live(32, one);
  expect(one.trace).toContain("start p0 at 14");
  expect(count()).toBe(16);
  expect(audited).toMatchObject([{ missing: { from: 10, to: 13, count: 4 }, nextOffset: 14 }]);
  expect(newest()).toMatchObject({ log: { nextOffset: 20 }, operator: audited });
});

test("a gap that was not audited is not gone on over", async () => {
  await fourExpired();
  const failure = new Error("the audit topic does not answer");
  const operator = { permits: () => true, audit: () => Promise.reject(failure) };
  const one = started("one", [], { operator });
  await assign(one, 0);
  expect(one.fatal).toEqual([failure]);
  expect(newest()?.kind).toBe("claim");
});

test("a record under the checkpoint that is another one is accepted as a new log, from its beginning", async () => {
  await tenProcessed();
  world.log.records.set(
    0,
    records.map((one) => ({ ...one, key: "b" })),
  );
  const one = started("one", ["accept-new-log"]);
  await assign(one, 0);
  await live(3, one);
  expect(one.fatal).toEqual([]);
  expect(topic.documents().get("0/b")?.records).toBe(40);
  expect(audited).toMatchObject([{ flag: "accept-new-log", nextOffset: 0, jobEpoch: 2 }]);
});

test("schemas that were decided to be unknown are tried again, in a higher epoch", async () => {
  const one = started("one");
  await assign(one, 0);
  world.log.append(0, ...records.slice(0, 10));
  await live(1, one);
  one.runner.schemaUnknown(0, 7);
  await live(40, one);
  expect([...one.runner.unknownSchemas(0)]).toEqual([7]);
  await one.runner.drain(1_000);
  const kept = started("kept");
  await assign(kept, 0);
  expect([...kept.runner.unknownSchemas(0)]).toEqual([7]);
  await kept.runner.drain(1_000);
  const cleared = started("cleared", ["retry-schemas"]);
  await assign(cleared, 0);
  await live(32, cleared);
  expect([...cleared.runner.unknownSchemas(0)]).toEqual([]);
  expect(audited).toMatchObject([{ flag: "retry-schemas", why: expect.stringMatching(/: 7$/) }]);
  expect(newest()).toMatchObject({ jobEpoch: 1 });
  await cleared.runner.drain(1_000);
  const after = started("after", ["retry-schemas"]);
  await assign(after, 0);
  expect(after.runner.unknownSchemas(0).size).toBe(0);
  expect(audited).toHaveLength(1);
});

describe("dead letters that are too many", () => {
  const flag = "accept-dead-letters";
  const bad = (from: number, amount: number) =>
    Array.from({ length: amount }, (_, at) =>
      record(from + at, { eventTime: 15, rejected: "short frame" }),
    );
  const good = (offset: number) => record(offset, { eventTime: 15 });

  test("are accepted by the flag that the line ends with, and by no other, in the same epoch", async () => {
    await tenProcessed();
    world.log.append(0, ...bad(10, 150), good(160));
    const others = operatorFlags.filter((one) => one !== flag);
    for (const permitted of [others, others]) {
      const halted = started("halted", permitted);
      await assign(halted, 0);
      await expect(live(6, halted)).rejects.toMatchObject({
        code: "DEAD_LETTER_BREAKER",
        exitCode: 65,
        flag,
        message: expect.stringMatching(/; to .*, start once with --accept-dead-letters$/),
      });
      await halted.runner.drain(1_000);
    }
    expect(audited).toEqual([]);
    const lifted = started("lifted", [flag]);
    await assign(lifted, 0);
    await live(12, lifted);
    expect(lifted.fatal).toEqual([]);
    expect(audited).toMatchObject([
      { flag, partition: 0, tolerated: { from: 10, to: 160 }, missing: null, jobEpoch: 0 },
    ]);
    const counts = { in: 161, dead: 150 };
    expect(newest()).toMatchObject({ operator: audited, jobEpoch: 0, counts });
    expect(count()).toBe(11);
    await lifted.runner.drain(1_000);
    const later = started("later");
    await assign(later, 0);
    world.log.append(0, ...bad(161, 99), good(260));
    await live(12, later);
    expect(later.fatal).toEqual([]);
    expect(newest()).toMatchObject({ operator: audited, counts: { dead: 249 } });
  });

  test("are not accepted when they came after the start", async () => {
    await tenProcessed();
    const one = started("one", [flag]);
    await assign(one, 0);
    world.log.append(0, ...bad(10, 150));
    await expect(live(6, one)).rejects.toMatchObject({ code: "DEAD_LETTER_BREAKER", offset: 109 });
    expect(audited).toEqual([]);
  });

  test("stop it again behind those that were there at the start, though it is taken over anew", async () => {
    world.log.append(0, ...bad(0, 150));
    const one = started("one", [flag]);
    await assign(one, 0);
    world.log.append(0, ...bad(150, 150));
    one.source.deliver(300);
    await expect(live(6, one)).rejects.toMatchObject({ code: "DEAD_LETTER_BREAKER", offset: 249 });
    expect(audited).toMatchObject([{ tolerated: { from: 0, to: 149 } }]);
  });

  test("are accepted again when the task comes back before it is past them", async () => {
    world.log.append(0, ...bad(0, 120));
    const one = started("one", [flag]);
    await assign(one, 0);
    world.log.records.set(0, bad(0, 110));
    await live(2, one);
    await assign(one);
    world.log.records.set(0, bad(0, 120));
    await assign(one, 0);
    await live(6, one);
    expect(one.fatal).toEqual([]);
    expect(newest()).toMatchObject({ counts: { dead: 120 } });
  });

  test("stay where they are while nobody can write that they were accepted", async () => {
    await tenProcessed();
    world.log.append(0, ...bad(10, 150));
    const failure = new Error("the audit topic does not answer");
    const operator = { permits: () => true, audit: () => Promise.reject(failure) };
    const one = started("one", [], { operator });
    await assign(one, 0);
    await live(6, one);
    expect(one.fatal).toEqual([failure]);
    expect(newest()).toMatchObject({ kind: "claim" });
  });
});

describe("a partition that was added", () => {
  test("begins at its beginning although the job started at the end of the others", async () => {
    const latest = { ...job, startAt: async ({ high }: { high: number }) => high };
    world.log.append(0, ...records.slice(0, 10));
    const one = started("one", [], { job: latest });
    await assign(one, 0);
    await live(6, one);
    expect(one.trace).toContain("start p0 at 10");
    world.log.partitions = 2;
    world.log.append(1, ...records.slice(0, 5));
    await assign(one, 0, 1);
    expect(one.trace).toContain("start p1 at 0");
    await live(6, one);
    expect(topic.documents(1).get("0/a")?.records).toBe(5);
    expect(one.fatal).toEqual([]);
  });

  test("is known as such when all tasks have been taken over since", async () => {
    const latest = { ...job, startAt: async ({ high }: { high: number }) => high };
    const one = started("one", [], { job: latest });
    await assign(one, 0);
    await one.runner.drain(1_000);
    world.log.partitions = 2;
    const two = started("two", [], { job: latest });
    await assign(two, 0);
    world.log.append(0, ...records.slice(0, 5));
    await live(6, two);
    world.log.append(1, ...records.slice(0, 5));
    await assign(two, 0, 1);
    expect(two.trace).toContain("start p1 at 0");
  });

  test("that was there from the start begins where the job says", async () => {
    const latest = { ...job, startAt: async ({ high }: { high: number }) => high };
    world.log.partitions = 2;
    world.log.append(1, ...records.slice(0, 5));
    const one = started("one", [], { job: latest });
    await assign(one, 0);
    await assign(one, 0, 1);
    expect(one.trace).toContain("start p1 at 5");
  });
});

describe("the epoch of a task whose checkpoints are gone", () => {
  const history = (epoch: number | undefined, complete: boolean) => ({
    ...new ResultTopic().history,
    newestEpoch: async () => ({ epoch, complete }),
  });

  test.each([
    ["above the newest result", 3, true, undefined, 4],
    ["above the newest result, since older ones that are gone were lower", 3, false, undefined, 4],
    ["above what a broken checkpoint still shows", 3, true, 9, 10],
    ["0 when nothing was ever published", undefined, true, undefined, 0],
    ["far above what nobody can tell any more", undefined, false, undefined, 1_024],
    ["far above the last one anybody can tell", undefined, false, 5, 1_029],
  ])("is %s", async (_, epoch, complete, salvaged, expected) => {
    expect(await epochAbove(history(epoch, complete), 0, salvaged)).toBe(expected);
  });

  test("is read from a frame whose end is torn off, and from nothing that is none", () => {
    const bytes = encodeFrame(checkpointFrame(3, { jobEpoch: 12 }, Buffer.alloc(100)));
    expect(salvageEpoch(bytes.subarray(0, -40))).toBe(12);
    expect(salvageEpoch(Buffer.from("torn"))).toBeUndefined();
    expect(salvageEpoch(Buffer.from('"jobEpoch":99999,'))).toBeUndefined();
  });
});
