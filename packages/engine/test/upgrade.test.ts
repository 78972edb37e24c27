import { beforeEach, describe, expect, test } from "vitest";
import { type CheckpointHeader, decodeFrame } from "../src/checkpoint.ts";
import type { RunOptions } from "../src/run-options.ts";
import { assign, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld, testJob } from "./fakes/fake-process.ts";
import { refusingOdd, ResultTopic } from "./fakes/result-topic.ts";
import { type LoggedRecord, record } from "./logged-records.ts";
import { batchOracle, type OracleEntry, type OracleResult } from "./oracle.ts";

const reason = "number out of range" as const;

let world: FakeWorld;
let topic: ResultTopic;

beforeEach(() => {
  world = new FakeWorld();
  topic = new ResultTopic();
});

/** Ads k1, k3 and k5 have odd values only: the new code has no slot of theirs. */
function records(from: number, to: number): LoggedRecord[] {
  return Array.from({ length: to - from }, (_, index) => {
    const offset = from + index;
    return record(offset, { eventTime: offset * 4, key: `k${offset % 6}`, values: [offset] });
  });
}

function started(
  name: string,
  codeVersion: number,
  parts: Partial<RunOptions> = {},
  job: Partial<RunOptions["job"]> = {},
): FakeProcess {
  const startAt = async ({ low }: { low: number }): Promise<number> => low;
  const process = new FakeProcess(world, name, {
    job: { name: "job", windowed: testJob, topology: "topology", startAt, codeVersion, ...job },
    checkpointIntervalMs: 3_600_000,
    idleTimeoutMs: Infinity,
    results: topic.log(name),
    history: topic.history,
    ...parts,
  });
  if (codeVersion === 2) process.source.handler = refusingOdd(process.runner, reason);
  return process;
}

function checkpoints(): CheckpointHeader[] {
  return [...world.frames().values()].flatMap(({ header }) =>
    header.kind === "checkpoint" ? [header] : [],
  );
}

const entriesOf = (some: readonly LoggedRecord[]): OracleEntry[] =>
  some.map((one) => ({ record: one }));

/** The old code up to the recorded cut, the new code after it. */
function twoVersions(all: readonly LoggedRecord[]): ReadonlyMap<string, OracleResult> {
  const cut = checkpoints().find(({ codeVersion }) => codeVersion === 2)?.log.nextOffset ?? 0;
  const entries = all.map((one) => {
    const refused = one.offset >= cut && one.offset % 2 === 1;
    return { record: refused ? { ...one, rejected: reason } : one };
  });
  return batchOracle(testJob, entries).results;
}

const all = [...records(0, 60), record(60, { eventTime: 1_000, values: [60] })];

/** The old code reads 40 records; its newest checkpoint is behind 20 of them. */
async function oldCodeAhead(): Promise<FakeProcess> {
  const old = started("old", 1);
  await assign(old, 0);
  world.log.append(0, ...all.slice(0, 20));
  await live(2, old);
  await old.runner.beforeRejoin(1_000);
  world.log.append(0, ...all.slice(20, 40));
  await live(2, old);
  expect(checkpoints().at(-1)?.log.nextOffset).toBe(20);
  return old;
}

describe("other code that takes over", () => {
  test("after a crash outranks what the old code published of records behind its checkpoint", async () => {
    await oldCodeAhead();
    topic.dead.add("old");
    const before = topic.documents();
    const next = started("new", 2);
    await assign(next, 0);
    // Nothing is read yet: the results are what the checkpoint says.
    await world.clock.advance(30_000);
    expect(topic.documents()).toEqual(batchOracle(testJob, entriesOf(all.slice(0, 20))).results);
    world.log.append(0, ...all.slice(40));
    await live(5, next);
    expect(before.get("120/k3")?.records).toBeGreaterThan(0);
    expect(topic.documents()).toEqual(twoVersions(all));
    expect(topic.documents().has("120/k3")).toBe(false);
    expect(new Set(topic.rows.map(({ jobEpoch }) => jobEpoch))).toEqual(new Set([0, 1]));
  });

  test("after a quiet time leaves alone what a decision closed at the offset of the checkpoint", async () => {
    const quiet = { idleTimeoutMs: 5_000, checkpointIntervalMs: 2_000 };
    const old = started("old", 1, quiet);
    await assign(old, 0);
    world.log.append(0, ...all.slice(0, 20));
    await live(60, old);
    topic.dead.add("old");
    const before = topic.documents();
    expect(checkpoints().some(({ decisions }) => decisions.length > 0)).toBe(true);
    const next = started("new", 2, quiet);
    await assign(next, 0);
    await live(30, next);
    expect(checkpoints().at(-1)?.codeVersion).toBe(2);
    expect(topic.documents()).toEqual(before);
  });

  test("takes another epoch than old code that fell back to the same checkpoint before it", async () => {
    const old = await oldCodeAhead();
    await old.runner.beforeRejoin(1_000);
    topic.dead.add("old");
    const newest = [...world.objects.keys()].sort().at(-1) ?? "";
    const first = started("first", 2);
    await assign(first, 0);
    topic.dead.add("first");
    // Both checkpoints above break: the one of the old code, and the turn of the new.
    for (const name of world.objects.keys()) {
      const { header } = decodeFrame(world.objects.get(name) ?? new Uint8Array());
      if (name >= newest && header.kind === "checkpoint")
        world.objects.set(name, Buffer.from("torn"));
    }
    const back = started("back", 1);
    await assign(back, 0);
    await live(3, back);
    topic.dead.add("back");
    const next = started("new", 2);
    await assign(next, 0);
    await live(31, next);
    const [older, newer] = [back, next].map(({ runner }) => runner.tasks[0]?.jobEpoch ?? 0);
    expect(newer).toBeGreaterThan(older ?? Infinity);
  });

  test("beside a process that does not know yet waits until it has noticed", async () => {
    const old = await oldCodeAhead();
    const next = started("new", 2);
    await assign(next, 0);
    world.log.append(0, ...all.slice(40, 50));
    await live(35, old, next);
    world.log.append(0, ...all.slice(50));
    await live(5, old, next);
    expect(topic.documents()).toEqual(twoVersions(all));
    expect(old.trace).toContain("fenced p0");
  });

  test("and crashes at any step of it leaves nothing that its successor does not repeat", async () => {
    await oldCodeAhead();
    topic.dead.add("old");
    for (const [seconds, name] of [
      [5, "first"],
      [30, "second"],
      [32, "third"],
    ] as const) {
      const next = started(name, 2);
      await assign(next, 0);
      await live(seconds, next);
      topic.dead.add(name);
    }
    const last = started("last", 2);
    await assign(last, 0);
    await live(31, last);
    world.log.append(0, ...all.slice(40));
    await live(5, last);
    expect(topic.documents()).toEqual(twoVersions(all));
  });

  test("that is rolled back before it wrote a checkpoint leaves nothing above the old code", async () => {
    await oldCodeAhead();
    topic.dead.add("old");
    const next = started("new", 2);
    next.store.onCreate = (name) => (name.endsWith("5") ? "refused" : "none");
    await assign(next, 0);
    await live(1, next);
    topic.dead.add("new");
    expect(checkpoints().some(({ codeVersion }) => codeVersion === 2)).toBe(false);
    const again = started("old again", 1);
    await assign(again, 0);
    world.log.append(0, ...all.slice(40));
    await live(5, again);
    expect(topic.documents()).toEqual(batchOracle(testJob, entriesOf(all)).results);
  });

  test("after a clean stop has nothing to outrank and waits for nobody", async () => {
    const old = await oldCodeAhead();
    expect(await old.runner.drain(25_000)).toBe(true);
    expect(checkpoints().at(-1)).toMatchObject({ savepoint: true, log: { nextOffset: 40 } });
    const rows = topic.rows.length;
    const next = started("new", 2);
    await assign(next, 0);
    expect(next.source.reading).toEqual([0]);
    expect(topic.rows).toHaveLength(rows);
    world.log.append(0, ...all.slice(40));
    await live(5, next);
    expect(topic.documents()).toEqual(twoVersions(all));
  });

  test("does not take a stop for clean when an owner before may have read further", async () => {
    await oldCodeAhead();
    topic.dead.add("old");
    const behind = started("behind", 1);
    await assign(behind, 0);
    behind.source.deliver(5);
    await behind.runner.drain(25_000);
    expect(checkpoints().at(-1)?.savepoint).toBeUndefined();
  });

  test("older than the checkpoint is refused", async () => {
    const next = started("new", 2);
    await assign(next, 0);
    const old = started("old", 1);
    await assign(old, 0);
    expect(old.fatal).toMatchObject([{ code: "STATE_INCOMPATIBLE", exitCode: 78 }]);
    expect(String(old.fatal[0])).toMatch(/version 2, this is version 1\); run that version$/);
  });
});

describe("other settings", () => {
  const timing = { ...testJob, watermarkDelayMs: 30, allowedLatenessMs: 20 };
  const topologyOf = (windowed: object): string => JSON.stringify(windowed);
  const withTiming = (windowed: typeof testJob): Partial<RunOptions["job"]> => ({
    windowed,
    topology: topologyOf(windowed),
    topologyOf,
    settings: { DELAY: `${windowed.watermarkDelayMs}`, LATENESS: `${windowed.allowedLatenessMs}` },
  });

  test.each([
    // Of the windows of 60 ms one has closed and may still be corrected; by the new delay it would not have.
    ["a longer delay", 40, { watermarkDelayMs: 80 }],
    // By the new delay one more would have closed.
    ["a shorter delay", 37, { watermarkDelayMs: 0 }],
    ["less lateness", 40, { allowedLatenessMs: 0 }],
    ["another distance to the future", 40, { maxFutureMs: 5 }],
    ["a limit of keys where there was none", 40, { maxKeys: 100 }],
  ])("%s is gone on with: each window closes once, complete", async (_, count, change) => {
    const before = started("before", 1, {}, withTiming(timing));
    await assign(before, 0);
    world.log.append(0, ...all.slice(0, count));
    await live(2, before);
    const open = before.runner.tasks[0]?.task.aggregate.openWindows ?? 0;
    expect(open).toBeGreaterThan(0);
    expect(await before.runner.drain(1_000)).toBe(true);
    const after = started("after", 1, {}, withTiming({ ...timing, ...change }));
    await assign(after, 0);
    world.log.append(0, ...all.slice(count));
    await live(5, after);
    const wanted = batchOracle(timing, entriesOf(all)).results;
    const figures = (results: ReadonlyMap<string, OracleResult>): Map<string, unknown> =>
      new Map(
        [...results]
          .filter(([, { windowEnd }]) => windowEnd <= 240)
          .map(([slot, { records: inSlot, sums, status }]) => [slot, { inSlot, sums, status }]),
      );
    expect(figures(topic.documents())).toEqual(figures(wanted));
    const closings = topic.rows.filter(({ status }) => status === "final");
    const closed = closings.map(({ key, windowStart }) => `${windowStart}/${key}`);
    expect(new Set(closed).size).toBe(closed.length);
    expect(checkpoints().at(-1)?.jobEpoch).toBe(1);
  });

  test("more lateness needs windows that are gone, so it is refused, by name", async () => {
    const before = started("before", 1, {}, withTiming(timing));
    await assign(before, 0);
    world.log.append(0, ...all.slice(0, 30));
    await live(2, before);
    await before.runner.drain(1_000);
    const after = started("after", 1, {}, withTiming({ ...timing, allowedLatenessMs: 40 }));
    await assign(after, 0);
    expect(after.fatal).toMatchObject([{ code: "STATE_INCOMPATIBLE", flag: "from-beginning" }]);
    expect(String(after.fatal[0])).toMatch(/\(LATENESS was 20 and is 40\); set them back/);
  });
});
