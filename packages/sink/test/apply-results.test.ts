import type { AdStats } from "@adstream/contracts/ad-stats";
import { StreamError } from "@adstream/engine/errors";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { resultDocumentId } from "../src/merge.ts";
import { otherIndex } from "../src/mongo-errors.ts";
import type { DocumentStore } from "../src/ports.ts";
import { adResult } from "./fakes/ad-results.ts";
import { applierOf, never, virtualClock } from "./fakes/applier.ts";
import { type Fault, faultyStore } from "./fakes/faulty-store.ts";
import { memoryStore, type MemoryStore } from "./fakes/memory-store.ts";

describe("a batch", () => {
  test("of known documents takes one round trip", async () => {
    const store = memoryStore();
    const applier = applierOf(store);
    await applier.apply([adResult({ version: 2n })], never);
    await applier.apply([adResult({ version: 4n })], never);
    expect(store.calls).toEqual({ finds: 1, writes: 2 });
  });

  test("is coalesced to the highest version of each slot", async () => {
    const store = memoryStore();
    const results = [4n, 8n, 6n].map((version) => adResult({ version }));
    const outcome = await applierOf(store).apply(results, never);
    expect(store.history.map(({ slots }) => slots["p0"]?.version)).toEqual([8n]);
    expect(outcome).toEqual({
      updated: 0,
      inserted: 1,
      stale: 0,
      races: 0,
      outages: 0,
      refused: [],
      written: [results[1]],
    });
  });

  test("of stale results writes nothing", async () => {
    const store = memoryStore();
    await applierOf(store).apply([adResult({ version: 6n })], never);
    const outcome = await applierOf(store).apply([adResult({ version: 6n })], never);
    expect(outcome).toMatchObject({ updated: 0, inserted: 0, stale: 1, written: [] });
    expect(store.calls.writes).toBe(1);
  });

  test("writes closed windows before open ones", async () => {
    const store = memoryStore();
    const applier = applierOf(store);
    const results = (["early", "final", "early", "corrected"] as const).map((status, at) =>
      adResult({ ad_id: `ad_${at}`, status, version: 4n }),
    );
    const first = results.map((result) => ({ ...result, status: "early" as const, version: 2n }));
    await applier.apply(first, never);
    store.history.length = 0;
    await applier.apply(results, never);
    const written = store.history.map(({ status }) => status);
    expect(written).toEqual(["final", "corrected", "early", "early"]);
  });

  test("without results asks for nothing", async () => {
    const store = memoryStore();
    await applierOf(store).apply([], never);
    expect(store.calls).toEqual({ finds: 0, writes: 0 });
  });
});

describe("a racing writer", () => {
  test("who updated in between is merged with, not overwritten", async () => {
    const store = memoryStore();
    const applier = applierOf(store);
    await applier.apply([adResult({ slot: 0, version: 2n })], never);
    await applierOf(store).apply([adResult({ slot: 1, version: 2n })], never);
    const outcome = await applier.apply([adResult({ slot: 0, version: 4n })], never);
    expect(outcome).toMatchObject({ updated: 1, races: 1 });
    expect(slotVersions(store)).toEqual({ p0: 4n, p1: 2n });
  });

  test("who inserted first is merged with", async () => {
    const store = memoryStore();
    let raced = false;
    const racing = faultyStore(store, [], async () => {
      if (raced) return;
      raced = true;
      await applierOf(store).apply([adResult({ slot: 1, version: 8n })], never);
    });
    await applierOf(racing).apply([adResult({ slot: 0, version: 2n })], never);
    expect(slotVersions(store)).toEqual({ p0: 2n, p1: 8n });
  });

  test("who deleted the document makes it an insert again", async () => {
    const store = memoryStore();
    const applier = applierOf(store);
    await applier.apply([adResult({ version: 2n })], never);
    store.documents.clear();
    const outcome = await applier.apply([adResult({ version: 4n })], never);
    expect(outcome).toMatchObject({ inserted: 1, races: 1 });
    expect(slotVersions(store)).toEqual({ p0: 4n });
  });
});

describe("forgetting", () => {
  test("reads documents again", async () => {
    const store = memoryStore();
    const applier = applierOf(store);
    await applier.apply([adResult({ version: 2n })], never);
    applier.forget();
    await applier.apply([adResult({ version: 4n })], never);
    expect(store.calls).toEqual({ finds: 2, writes: 2 });
  });

  test("happens by itself beyond the bound of the cache, to what was unused for longest", async () => {
    const store = memoryStore();
    const applier = applierOf(store, { cacheDocuments: 2 });
    for (const [ad_id, version] of [
      ["a", 2n],
      ["b", 2n],
      ["a", 4n],
      ["c", 2n],
    ] as const) {
      await applier.apply([adResult({ ad_id, version })], never);
    }
    store.calls.finds = 0;
    const results = ["a", "c"].map((ad_id) => adResult({ ad_id, version: 6n }));
    await applier.apply(results, never);
    expect(store.calls.finds).toBe(0);
    await applier.apply([adResult({ ad_id: "b", version: 6n })], never);
    expect(store.calls.finds).toBe(1);
  });
});

describe("an outage", () => {
  test("is waited out, from a second up to a minute", async () => {
    const clock = virtualClock();
    const faults = Array.from({ length: 9 }, (): Fault => "find fails");
    const applier = applierOf(faultyStore(memoryStore(), faults), { clock, random: () => 1 });
    const outcome = await applier.apply([adResult()], never);
    expect(clock.sleeps).toEqual(
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000),
    );
    expect(outcome).toMatchObject({ inserted: 1, outages: 9 });
  });

  test("that swallows an answer counts what it had written", async () => {
    const store = memoryStore();
    const outcome = await applierOf(faultyStore(store, ["response lost"])).apply(
      [adResult()],
      never,
    );
    expect(outcome).toMatchObject({ inserted: 1, stale: 0, outages: 1 });
    expect(outcome.written).toHaveLength(1);
    expect(store.history).toHaveLength(1);
  });

  test("ends at once when the process stops", async () => {
    const stopping = new AbortController();
    const faults = Array.from({ length: 100 }, (): Fault => "write fails");
    const applier = applierOf(faultyStore(memoryStore(), faults), {
      observer: { outage: () => stopping.abort(), race() {} },
    });
    await expect(applier.apply([adResult()], stopping.signal)).rejects.toThrow("aborted");
    expect(faults).toHaveLength(99);
  });

  test("is told from an error that no retry mends", async () => {
    const refusing: DocumentStore = {
      find: () => Promise.reject(new StreamError("NOT_AUTHORIZED", "stop", "no rights")),
      write: () => Promise.reject(new Error("never asked")),
    };
    await expect(applierOf(refusing).apply([adResult()], never)).rejects.toThrow("no rights");
  });
});

describe("a refused document", () => {
  test("is left out, the others go on", async () => {
    const store = memoryStore();
    const [bad, good] = [adResult({ ad_id: "bad" }), adResult({ ad_id: "good" })];
    const refusing: DocumentStore = {
      find: (ids) => store.find(ids),
      async write(updates, inserts) {
        const taken = inserts.filter(({ ad_id }) => ad_id !== "bad");
        await store.write(updates, taken);
        if (taken.length === inserts.length) return { matched: 0, upserted: 0 };
        return { matched: 0, upserted: 0, refused: [{ id: resultDocumentId(bad), reason: "no" }] };
      },
    };
    const outcome = await applierOf(refusing).apply([bad, good], never);
    expect(outcome.refused).toEqual([{ id: resultDocumentId(bad), reason: "no" }]);
    expect(outcome).toMatchObject({ inserted: 1, stale: 0 });
    expect([...store.documents.keys()]).toEqual([resultDocumentId(good)]);
  });

  test("that another unique index bars is given up after a few attempts, one that a race bars is not", async () => {
    const store = memoryStore();
    const [barred, raced] = [adResult({ ad_id: "barred" }), adResult({ ad_id: "raced" })];
    const barring: DocumentStore = {
      find: (ids) => store.find(ids),
      async write(updates, inserts) {
        const insert = inserts.find(({ ad_id }) => ad_id === "raced");
        // Somebody else inserts an older revision first.
        if (insert !== undefined) await store.write([], [{ ...insert, rev: 7, slots: {} }]);
        await store.write(updates, []);
        const contested = inserts.map(({ _id }) => _id);
        if (contested.length > 0) return { matched: 0, upserted: 0, contested };
        return { matched: updates.length, upserted: 0 };
      },
    };
    const outcome = await applierOf(barring).apply([barred, raced], never);
    expect(outcome.refused).toEqual([{ id: resultDocumentId(barred), reason: otherIndex }]);
    expect([...store.documents.keys()]).toEqual([resultDocumentId(raced)]);
    expect(store.documents.get(resultDocumentId(raced))).toMatchObject({ rev: 8 });
  });

  test("that cannot be read is not written over", async () => {
    const id = resultDocumentId(adResult());
    const store = memoryStore();
    const foreign: DocumentStore = {
      ...store,
      find: async () => new Map([[id, { id, reason: "not one of ours" }]]),
    };
    const outcome = await applierOf(foreign).apply([adResult()], never);
    expect(outcome.refused).toHaveLength(1);
    expect(store.calls.writes).toBe(0);
  });
});

const fault = fc.constantFrom<Fault>(
  "find fails",
  "write fails",
  "response lost",
  "half is written",
  "none",
);
const result = fc
  .record({
    ad_id: fc.constantFrom("a", "b", "c", "__proto__"),
    slot: fc.nat(2),
    version: fc.bigInt(1n, 30n),
  })
  .map((given) => adResult(given));
const batches = fc.array(fc.array(result, { maxLength: 12 }), { maxLength: 6 });

test("whatever fails and whoever races, every slot ends at its maximum and none ever falls", async () => {
  await fc.assert(
    fc.asyncProperty(
      batches,
      batches,
      fc.array(fault, { maxLength: 12 }),
      async (ours, theirs, faults) => {
        const store = memoryStore();
        const rival = applierOf(store);
        const rivals = [...theirs];
        const applier = applierOf(
          faultyStore(store, faults, async () => {
            await rival.apply(rivals.shift() ?? [], never);
          }),
        );
        for (const batch of ours) await applier.apply(batch, never);
        const applied = [...ours, ...theirs.slice(0, theirs.length - rivals.length)].flat();
        expect(highestOf(store.documents.values())).toEqual(expected(applied));
        expectNoFall(store);
      },
    ),
    { numRuns: 400 },
  );
});

function slotVersions(store: MemoryStore): Record<string, bigint> {
  const [document] = store.documents.values();
  const slots = Object.entries(document?.slots ?? {});
  return Object.fromEntries(slots.map(([name, slot]) => [name, slot.version]));
}

function highestOf(documents: MapIterator<{ _id: string; slots: object }>): Map<string, bigint> {
  const versions = new Map<string, bigint>();
  for (const { _id, slots } of documents) {
    for (const [name, slot] of Object.entries(slots)) versions.set(`${_id} ${name}`, slot.version);
  }
  return versions;
}

function expected(results: readonly AdStats[]): Map<string, bigint> {
  const versions = new Map<string, bigint>();
  for (const each of results) {
    const name = `${resultDocumentId(each)} p${each.slot}`;
    const highest = versions.get(name) ?? 0n;
    versions.set(name, each.version > highest ? each.version : highest);
  }
  return versions;
}

function expectNoFall({ history }: MemoryStore): void {
  const seen = new Map<string, bigint>();
  const revisions = new Map<string, number>();
  for (const { _id, rev, slots } of history) {
    expect(rev).toBe((revisions.get(_id) ?? 0) + 1);
    revisions.set(_id, rev);
    for (const [name, slot] of Object.entries(slots)) {
      const before = seen.get(`${_id} ${name}`) ?? 0n;
      expect(slot.version).toBeGreaterThanOrEqual(before);
      seen.set(`${_id} ${name}`, slot.version);
    }
  }
}
