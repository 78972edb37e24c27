import { StreamError } from "@adstream/engine/errors";
import { describe, expect, test } from "vitest";

import type { ResultApplier } from "../src/apply-results.ts";
import { consumeResults } from "../src/consume-results.ts";
import { decodedRows } from "../src/result-rows.ts";
import type { RefusedRecord, SourceRecord } from "../src/intake-queue.ts";
import { resultDocumentId } from "../src/merge.ts";
import type { Refusal } from "../src/ports.ts";
import { adResult } from "./fakes/ad-results.ts";
import { fakeSource, type FakeSource } from "./fakes/fake-source.ts";
import { type ManualClock, manualClock } from "./fakes/manual-clock.ts";

type Consumer = {
  readonly source: FakeSource;
  readonly clock: ManualClock;
  /** Result counts of the calls of apply; each ends when it is released. */
  readonly applied: number[];
  readonly store: { away: boolean; held: PromiseWithResolvers<void> | undefined; forgets: number };
  /** What the next read does instead of succeeding. */
  readonly readErrors: Error[];
  /** Records that the next read finds to be no results. */
  readonly refusedNext: RefusedRecord[];
  /** Bytes that the records of the next read keep alive. */
  readonly memoryOfNext: number[];
  /** Documents that the store refuses. */
  readonly refusals: Refusal[];
  readonly published: string[][];
  readonly publishErrors: Error[];
  readonly ended: Promise<void>;
  readonly stop: () => void;
};

/** A consumer whose batches hold as many results as records. */
async function startConsumer(partitions: readonly number[] = [0]): Promise<Consumer> {
  const source = fakeSource();
  const clock = manualClock();
  const stopping = new AbortController();
  const applied: number[] = [];
  const readErrors: Error[] = [];
  const refusedNext: RefusedRecord[] = [];
  const memoryOfNext: number[] = [];
  const refusals: Refusal[] = [];
  const published: string[][] = [];
  const publishErrors: Error[] = [];
  const store: Consumer["store"] = { away: false, held: undefined, forgets: 0 };
  const applier: ResultApplier = {
    async apply(results, signal) {
      applied.push(results.length);
      if (store.held === undefined) return outcomeOf(results, refusals);
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      await Promise.race([store.held.promise, aborted]);
      return outcomeOf(results, refusals);
    },
    documentId: (result) => resultDocumentId(result),
    forget: () => (store.forgets += 1),
  };
  const ended = consumeResults(
    {
      topic: "results",
      source,
      async read(partition, bytes, fromOffset) {
        const error = readErrors.shift();
        if (error !== undefined) throw error;
        // Of one document, and none supersedes another.
        const slotOf = (at: number): number => partition * 100_000 + fromOffset + at;
        const results = Array.from(bytes, (_, at) => adResult({ slot: slotOf(at) }));
        const memory = Buffer.alloc(memoryOfNext.shift() ?? 0);
        const records = results.map((_result, index) => recordAt(fromOffset + index, memory));
        return { rows: decodedRows(results, records, "ad_id"), refused: refusedNext.splice(0) };
      },
      applier,
      async deadLetters(records) {
        const error = publishErrors.shift();
        if (error !== undefined) throw error;
        published.push(records.map(({ offset, reason }) => `${offset}: ${reason}`));
      },
      clock,
      random: () => 1,
      storeAway: () => store.away,
      observer: { applied() {}, refused() {}, assigned() {}, started() {}, waiting() {} },
    },
    stopping.signal,
  );
  ended.catch(() => {}); // Read by the test that is about it.
  await clock.settle();
  source.handler.assigned(partitions);
  await clock.settle();
  source.calls.length = 0;
  const stop = (): void => stopping.abort();
  const refusing = { memoryOfNext, refusedNext, refusals, published, publishErrors };
  return { source, clock, applied, store, readErrors, ...refusing, ended, stop };
}

function outcomeOf(
  results: readonly unknown[],
  refused: readonly Refusal[],
): Awaited<ReturnType<ResultApplier["apply"]>> {
  const nothing = { updated: 0, inserted: 0, races: 0, outages: 0, written: [] };
  return { ...nothing, stale: results.length, refused };
}

function recordAt(offset: number, value: Uint8Array | null = null): SourceRecord {
  return { partition: 0, offset, timestamp: 0, key: null, value };
}

const away = new StreamError("SERVER_UNAVAILABLE", "retry", "gone");

describe("batches", () => {
  test("wait a little for each other and are applied together", async () => {
    const { source, clock, applied } = await startConsumer([0, 1]);
    await source.deliver(0, 0, 3);
    await source.deliver(1, 0, 4);
    expect(applied).toEqual([]);
    await clock.advance(2);
    expect(applied).toEqual([7]);
  });

  test.each([
    [30, 2],
    [310, 10],
    [400, 50],
  ])("that took %i ms are followed by others after %i ms", async (tookMs, restMs) => {
    const { source, clock, store, applied } = await startConsumer();
    store.held = Promise.withResolvers();
    const { held } = store;
    await source.deliver(0, 0, 3);
    await clock.advance(2);
    await clock.advance(tookMs);
    store.held = undefined;
    held.resolve();
    await clock.settle();
    await source.deliver(0, 3, 4);
    await clock.advance(restMs - 1);
    expect(applied).toEqual([3]);
    await source.deliver(0, 7, 5);
    await clock.advance(1);
    expect(applied).toEqual([3, 9]);
    await clock.advance(100);
    await source.deliver(0, 12, 1);
    await clock.advance(2);
    expect(applied).toEqual([3, 9, 1]);
  });

  test("of a store that is busy all the time wait as long as those before them took", async () => {
    const { source, clock, store, applied } = await startConsumer();
    const apply = async (restMs: number): Promise<void> => {
      store.held = Promise.withResolvers();
      const { held } = store;
      await source.deliver(0, applied.length, 1);
      const before = applied.length;
      await clock.advance(restMs - 1);
      expect(applied).toHaveLength(before);
      await clock.advance(1);
      expect(applied).toHaveLength(before + 1);
      await clock.advance(30);
      held.resolve();
      await clock.settle();
    };
    for (let bulk = 0; bulk < 11; bulk++) await apply(2);
    await apply(10);
    for (let bulk = 0; bulk < 3; bulk++) await apply(30);
    await clock.advance(300);
    await apply(2);
  });

  test("do not wait once they are large", async () => {
    const { source, clock, applied } = await startConsumer();
    await source.deliver(0, 0, 6_000);
    await clock.settle();
    expect(applied).toEqual([6_000]);
  });

  test("are committed when they are applied, and not before", async () => {
    const { source, clock, store } = await startConsumer();
    store.held = Promise.withResolvers();
    await source.deliver(0, 10, 5);
    await clock.advance(3_000);
    expect(source.calls).toEqual([]);
    store.held.resolve();
    await clock.advance(1_000);
    expect(source.calls).toEqual(["commit 0 at 15"]);
  });

  test("are refused while the queue is full, and wanted again when there is room", async () => {
    const { source, clock, store } = await startConsumer();
    store.held = Promise.withResolvers();
    const { held } = store;
    const answers = [];
    for (let offset = 0; offset < 100_000; offset += 20_000) {
      answers.push(await source.deliver(0, offset, 20_000));
      await clock.advance(50);
    }
    // The first one is being written.
    expect(answers).toEqual(["done", "done", "done", "done", "later"]);
    expect(source.calls).toEqual(["pause 0"]);
    store.held = undefined;
    held.resolve();
    await clock.advance(50);
    expect(source.calls.slice(0, 2)).toEqual(["pause 0", "resume 0"]);
  });

  test("of which all results are superseded are counted, too: a store that is away for long", async () => {
    const { source, clock, store } = await startConsumer();
    store.held = Promise.withResolvers();
    await source.deliver(0, 0, 1);
    await clock.advance(2);
    const answers = new Map<string, number>();
    for (let turn = 0; turn < 10_010; turn++) {
      const answer = await source.deliver(0, 1, 1);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    expect(Object.fromEntries(answers)).toEqual({ done: 10_000, later: 10 });
  });

  test("are refused while what waits keeps too much memory alive", async () => {
    const { source, clock, store, memoryOfNext } = await startConsumer();
    store.held = Promise.withResolvers();
    const { held } = store;
    await source.deliver(0, 0, 1);
    await clock.advance(2);
    const answers = [];
    for (let offset = 1; offset < 6; offset++) {
      memoryOfNext.push(8 * 1024 * 1024);
      answers.push(await source.deliver(0, offset, 1));
    }
    expect(answers).toEqual(["done", "done", "done", "done", "later"]);
    store.held = undefined;
    held.resolve();
    await clock.advance(50);
    expect(source.calls.slice(0, 2)).toEqual(["pause 0", "resume 0"]);
  });

  test("are asked for ever more rarely while the registry stays away", async () => {
    const { source, clock, readErrors } = await startConsumer();
    readErrors.push(away, away);
    await source.deliver(0, 0, 1);
    await clock.advance(1_000);
    await source.deliver(0, 0, 1);
    await clock.advance(1_000);
    expect(source.calls).toEqual(["pause 0", "resume 0", "pause 0"]);
    await clock.advance(1_000);
    expect(source.calls.at(-1)).toBe("resume 0");
  });

  test("of which the schema cannot be had come again after a pause", async () => {
    const { source, clock, applied, readErrors } = await startConsumer();
    readErrors.push(away);
    expect(await source.deliver(0, 0)).toBe("later");
    await clock.advance(999);
    expect(source.calls).toEqual(["pause 0"]);
    await clock.advance(1);
    expect(source.calls).toEqual(["pause 0", "resume 0"]);
    expect(await source.deliver(0, 0)).toBe("done");
    await clock.advance(50);
    expect(applied).toEqual([1]);
  });
});

describe("an assignment", () => {
  test.each([
    ["a new group at the first record", { low: 3, high: 9 }, 3],
    ["a known group where it was", { low: 3, high: 9, committed: 5 }, 5],
    ["a group that read everything at the end", { low: 3, high: 9, committed: 9 }, 9],
    ["a group whose next record is the first there is", { low: 3, high: 9, committed: 3 }, 3],
  ])("starts %s", async (_, info, offset) => {
    const { source, clock } = await startConsumer();
    source.infos.set(0, info);
    source.handler.assigned([0]);
    await clock.settle();
    expect(source.calls).toEqual([`start 0 at ${offset}`]);
  });

  test("stops where records expired unread, and says how many", async () => {
    const { source, ended } = await startConsumer();
    source.infos.set(0, { low: 30, high: 90, committed: 5 });
    source.handler.assigned([0]);
    await expect(ended).rejects.toThrow(/^25 records of results partition 0 expired/);
    await expect(ended).rejects.toMatchObject({ code: "RECORDS_EXPIRED", exitCode: 78 });
  });

  test("stops at a log that is shorter than what was read of it", async () => {
    const { source, ended } = await startConsumer();
    source.infos.set(0, { low: 0, high: 4, committed: 5 });
    source.handler.assigned([0]);
    await expect(ended).rejects.toMatchObject({ code: "LOG_REPLACED", exitCode: 78 });
  });

  test("reads the batch before its position once more, and goes on where it is the one it was", async () => {
    const { source, clock, applied } = await startConsumer();
    await source.deliver(0, 0, 5);
    await clock.advance(1_050);
    expect(source.calls).toEqual(["commit 0 at 5"]);
    const note = source.notes.get(0);
    source.infos.set(0, { low: 0, high: 9, committed: 5, ...(note === undefined ? {} : { note }) });
    source.handler.assigned([0]);
    await clock.settle();
    expect(source.calls.at(-1)).toBe("start 0 at 4");
    expect(await source.deliver(0, 0, 5)).toBe("done");
    expect(await source.deliver(0, 5, 2)).toBe("done");
    await clock.advance(50);
    expect(applied).toEqual([5, 2]);
  });

  test("stops where another batch lies before its position: the topic was made again", async () => {
    const { source, clock, applied, ended } = await startConsumer();
    source.infos.set(0, { low: 0, high: 9, committed: 5, note: "batch 0 7" });
    source.handler.assigned([0]);
    await clock.settle();
    await expect(source.deliver(0, 0, 5)).rejects.toMatchObject({ code: "LOG_REPLACED" });
    expect(applied).toEqual([]);
    void ended;
  });

  describe("of a group whose offsets are gone, with a topic that was deleted", () => {
    test("stops where another batch lies before what it applied: the topic was made again", async () => {
      const { source, clock, applied } = await startConsumer();
      await source.deliver(0, 0, 5);
      await clock.advance(50);
      source.infos.set(0, { low: 0, high: 9 });
      source.handler.assigned([0]);
      await clock.settle();
      expect(source.calls.at(-1)).toBe("start 0 at 4");
      await expect(source.deliver(0, 3, 5)).rejects.toMatchObject({ code: "LOG_REPLACED" });
      expect(applied).toEqual([5]);
    });

    test("stops where another batch lies before what it found committed", async () => {
      const { source, clock } = await startConsumer();
      source.infos.set(0, { low: 0, high: 5, committed: 5, note: "batch 0 0" });
      source.handler.assigned([0]);
      await clock.settle();
      source.infos.set(0, { low: 0, high: 9 });
      source.handler.assigned([0]);
      await clock.settle();
      expect(source.calls).toEqual(["start 0 at 4", "start 0 at 4"]);
      await expect(source.deliver(0, 3, 5)).rejects.toMatchObject({ code: "LOG_REPLACED" });
    });

    test("stops at a log that is shorter than what it applied", async () => {
      const { source, clock, ended } = await startConsumer();
      await source.deliver(0, 0, 5);
      await clock.advance(50);
      source.handler.assigned([0]);
      await expect(ended).rejects.toThrow(/ends at offset 0, before offset 5.*made again/);
      await expect(ended).rejects.toMatchObject({ code: "LOG_REPLACED", exitCode: 78 });
    });

    test("commits again what it applied, where that still lies there", async () => {
      const { source, clock, applied } = await startConsumer();
      await source.deliver(0, 0, 5);
      await clock.advance(50);
      source.infos.set(0, { low: 0, high: 5 });
      source.handler.assigned([0]);
      await clock.settle();
      expect(await source.deliver(0, 0, 5)).toBe("done");
      await clock.advance(2_050);
      expect(source.calls).toEqual(["start 0 at 4", "commit 0 at 5"]);
      expect(applied).toEqual([5]);
    });

    test("begins at the start of a partition of which nothing was ever applied", async () => {
      const { source, clock } = await startConsumer([0, 1]);
      await source.deliver(0, 0, 5);
      await clock.advance(50);
      source.infos.set(1, { low: 0, high: 9 });
      source.handler.assigned([1]);
      await clock.settle();
      expect(source.calls).toEqual(["start 1 at 0"]);
    });
  });

  test("holds nothing against a canary that retention has taken", async () => {
    const { source, clock } = await startConsumer();
    source.infos.set(0, { low: 5, high: 9, committed: 5, note: "batch 0 7" });
    source.handler.assigned([0]);
    await clock.settle();
    expect(source.calls).toEqual(["start 0 at 5"]);
    expect(await source.deliver(0, 5, 2)).toBe("done");
  });

  test("waits for brokers that do not answer", async () => {
    const { source, clock } = await startConsumer();
    source.infos.set(0, away);
    source.handler.assigned([0]);
    await clock.advance(2_999);
    source.infos.set(0, { committed: 0 });
    await clock.advance(1);
    expect(source.calls).toEqual(["start 0 at 0"]);
  });

  test("begins with nothing of the one before it: queue, positions, documents", async () => {
    const { source, clock, applied, store } = await startConsumer();
    store.held = Promise.withResolvers();
    await source.deliver(0, 0);
    await clock.advance(50);
    await source.deliver(0, 1);
    source.handler.assigned([1]);
    store.held.resolve();
    await clock.advance(5_000);
    expect(applied).toEqual([1]);
    expect(source.calls).toEqual(["start 1 at 0"]);
    expect(store.forgets).toBe(2);
  });
});

describe("records that get into no document", () => {
  test("are published before the offset behind them is committed, in the order of the log", async () => {
    const { source, clock, refusedNext, refusals, published, publishErrors } =
      await startConsumer();
    refusedNext.push({ ...recordAt(1), reason: "no result" });
    refusals.push({ id: resultDocumentId(adResult()), reason: "too large" });
    publishErrors.push(away);
    await source.deliver(0, 0, 3);
    await clock.advance(999);
    expect([published, source.calls]).toEqual([[], []]);
    await clock.advance(51);
    expect(published).toEqual([["0: too large", "1: no result", "1: too large", "2: too large"]]);
    await clock.advance(1_000);
    expect(source.calls).toEqual(["commit 0 at 3"]);
  });

  test("end the process where no topic takes them", async () => {
    const { source, clock, refusedNext, publishErrors, ended } = await startConsumer();
    refusedNext.push({ ...recordAt(0), reason: "no result" });
    publishErrors.push(new StreamError("TOPIC_MISSING", "stop", "no such topic"));
    await source.deliver(0, 0, 1);
    await clock.advance(50);
    await expect(ended).rejects.toMatchObject({ code: "TOPIC_MISSING", exitCode: 78 });
    expect(source.calls).toEqual([]);
  });
});

describe("before a rejoin", () => {
  test("what was taken is applied and committed", async () => {
    const { source, clock, applied } = await startConsumer();
    await source.deliver(0, 0, 5);
    const flushed = source.handler.beforeRejoin(15_000);
    await clock.settle();
    await flushed;
    expect(applied).toEqual([5]);
    expect(source.calls).toEqual(["commit 0 at 5"]);
  });

  test("a store that is away is not waited for", async () => {
    const { source, clock, store } = await startConsumer();
    store.held = Promise.withResolvers();
    store.away = true;
    await source.deliver(0, 0, 5);
    await clock.advance(50);
    await source.handler.beforeRejoin(15_000);
    expect(source.calls).toEqual([]);
  });

  test("a slow store is waited for as long as there is time", async () => {
    const { source, clock, store } = await startConsumer();
    store.held = Promise.withResolvers();
    await source.deliver(0, 0, 5);
    let flushed = false;
    const flushing = source.handler.beforeRejoin(1_000).then(() => (flushed = true));
    await clock.advance(999);
    expect(flushed).toBe(false);
    await clock.advance(100);
    await flushing;
    expect(source.calls).toEqual([]);
  });
});

describe("stopping", () => {
  test("is clean when everything is in the store", async () => {
    const { source, ended, stop } = await startConsumer();
    await source.deliver(0, 0, 5);
    stop();
    await ended;
    expect(source.calls).toEqual(["commit 0 at 5"]);
  });

  test("says so when the store was away", async () => {
    const { source, clock, store, ended, stop } = await startConsumer();
    store.held = Promise.withResolvers();
    store.away = true;
    await source.deliver(0, 0, 5);
    await clock.advance(50);
    stop();
    await expect(ended).rejects.toMatchObject({ code: "DRAIN_CUT_SHORT", exitCode: 1 });
  });

  test("comes with the error that no retry mends", async () => {
    const { source, clock, store, ended } = await startConsumer();
    store.held = Promise.withResolvers();
    await source.deliver(0, 0, 5);
    await clock.advance(50);
    store.held.reject(new StreamError("NOT_AUTHORIZED", "stop", "no rights"));
    await expect(ended).rejects.toThrow("no rights");
  });
});
