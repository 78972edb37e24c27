import { describe, expect, test } from "vitest";
import { type ClaimHeader, encodeFrame, type Frame } from "../src/checkpoint.ts";
import { CheckpointLadder } from "../src/checkpoint-ladder.ts";
import { memoryCheckpointStore } from "./conformance/memory-checkpoint-store.ts";
import { FaultyStore, type StoreFault } from "./fakes/faulty-store.ts";
import { checkpointFrame, claimFrame } from "./fakes/frames.ts";

const folder = "test/p0000";
const day = 24 * 3_600_000;

function nameOf(seq: number): string {
  return `${folder}/${String(seq).padStart(12, "0")}`;
}

/** A store with these frames, and "broken" objects that cannot be read. */
function storeOf(frames: Readonly<Record<number, Frame | "broken">>): FaultyStore {
  const objects = new Map<string, Uint8Array>();
  for (const [seq, frame] of Object.entries(frames)) {
    const bytes = frame === "broken" ? Buffer.from("torn") : encodeFrame(frame);
    objects.set(nameOf(Number(seq)), bytes);
  }
  return new FaultyStore(objects);
}

const ladderOn = (store: FaultyStore): CheckpointLadder => new CheckpointLadder(store, "test", 0);

/** Prunes as the owner of `top` does. */
async function prune(ladder: CheckpointLadder, top: number, wallMs: number): Promise<void> {
  await ladder.prune(
    (await ladder.numbers()).filter((seq) => seq <= top),
    wallMs,
  );
}

const noAttempts: ReadonlySet<string> = new Set();

const claimOf =
  (nonce: string) =>
  (seq: number, base: number): ClaimHeader =>
    claimFrame(seq, base, { writer: { instance: nonce, nonce, at: "2026-03-01T00:00:00Z" } })
      .header;

describe("the newest checkpoint", () => {
  test("of an empty folder is none", async () => {
    const newest = { top: 0, checkpoint: undefined, unreadable: 0 };
    expect(await ladderOn(storeOf({})).newest()).toEqual(newest);
  });

  test("lies below the claims on top of it, which do not count as unreadable", async () => {
    const store = storeOf({
      1: claimFrame(1, 0),
      2: checkpointFrame(2),
      3: claimFrame(3, 2),
      4: claimFrame(4, 2),
    });
    const newest = await ladderOn(store).newest();
    expect(newest).toMatchObject({ top: 4, unreadable: 0, checkpoint: { header: { seq: 2 } } });
  });

  test("is the one before broken ones, and tells how many those are", async () => {
    const store = storeOf({ 2: checkpointFrame(2), 3: "broken", 4: claimFrame(4, 2), 5: "broken" });
    const newest = await ladderOn(store).newest();
    expect(newest).toMatchObject({ top: 5, unreadable: 2, checkpoint: { header: { seq: 2 } } });
  });

  test("is none where all are broken", async () => {
    const newest = await ladderOn(storeOf({ 1: "broken", 2: "broken" })).newest();
    expect(newest).toEqual({ top: 2, checkpoint: undefined, unreadable: 2 });
  });

  test("is looked for again when what was listed is pruned before it is read", async () => {
    const store = storeOf({ 2: checkpointFrame(2), 3: checkpointFrame(3) });
    store.onRead = (name) => {
      store.onRead = () => "none";
      store.objects.delete(name);
      store.objects.delete(nameOf(2));
      store.objects.set(nameOf(9), encodeFrame(checkpointFrame(9)));
      return "none";
    };
    const newest = await ladderOn(store).newest();
    expect(newest).toMatchObject({ top: 9, unreadable: 0, checkpoint: { header: { seq: 9 } } });
  });

  test("is looked for below objects that are listed and never there", async () => {
    const store = storeOf({ 2: checkpointFrame(2), 3: checkpointFrame(3) });
    store.vanished.add(nameOf(3));
    const newest = await ladderOn(store).newest();
    expect(newest).toMatchObject({ top: 3, unreadable: 0, checkpoint: { header: { seq: 2 } } });
  });

  test("is not a copy of it under another number", async () => {
    const store = storeOf({ 2: checkpointFrame(2), 3: checkpointFrame(2) });
    const newest = await ladderOn(store).newest();
    expect(newest).toMatchObject({ top: 3, unreadable: 1, checkpoint: { header: { seq: 2 } } });
  });

  test("may be left for the one below it, which counts it as unreadable", async () => {
    const store = storeOf({
      1: checkpointFrame(1),
      2: "broken",
      3: checkpointFrame(3),
      4: claimFrame(4, 3),
      5: "broken",
    });
    const ladder = ladderOn(store);
    const third = await ladder.newest();
    expect(third).toMatchObject({ top: 5, unreadable: 1, checkpoint: { header: { seq: 3 } } });
    const first = await ladder.older(third);
    expect(first).toMatchObject({ top: 5, unreadable: 3, checkpoint: { header: { seq: 1 } } });
    expect(await ladder.older(first)).toMatchObject({ unreadable: 4, checkpoint: undefined });
  });

  test("of newer code is not passed over for an older one", async () => {
    const store = storeOf({
      2: checkpointFrame(2),
      3: checkpointFrame(3, { stateSchemaVersion: 99 }),
    });
    await expect(ladderOn(store).newest()).rejects.toMatchObject({ code: "STATE_INCOMPATIBLE" });
  });

  test("is looked for by number, and foreign names are left alone", async () => {
    const store = storeOf({ 9: checkpointFrame(9), 10: checkpointFrame(10) });
    for (const name of [".tmp-1", "000000000011.bak", "99", "x00000000012"]) {
      await store.inner.create(`${folder}/${name}`, Buffer.from("foreign"));
    }
    expect(await ladderOn(store).newest()).toMatchObject({
      top: 10,
      checkpoint: { header: { seq: 10 } },
    });
    await prune(ladderOn(store), 10, 0);
    expect(await store.inner.list(folder)).toHaveLength(6);
  });
});

describe("a claim", () => {
  test("takes the next number, on top of the newest checkpoint", async () => {
    const store = storeOf({ 2: checkpointFrame(2), 3: claimFrame(3, 2) });
    const claimed = await ladderOn(store).claim(claimOf("mine"));
    expect(claimed).toMatchObject({ seq: 4, newest: { checkpoint: { header: { seq: 2 } } } });
    expect(await ladderOn(store).newest()).toMatchObject({ top: 4 });
  });

  test("of many at once gives every one its own number", async () => {
    const store = storeOf({ 2: checkpointFrame(2) });
    const claims = Array.from({ length: 15 }, (_, at) => ladderOn(store).claim(claimOf(`${at}`)));
    const numbers = (await Promise.all(claims)).map((claimed) => claimed?.seq ?? Number.NaN);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 15 }, (_, at) => 3 + at),
    );
  });

  test("gives up for now after 20 lost races", async () => {
    const store = storeOf({});
    let races = 0;
    store.onCreate = async (name): Promise<StoreFault> => {
      races++;
      const seq = Number(name.slice(-12));
      await store.inner.create(
        name,
        encodeFrame(claimFrame(seq, 0, { writer: { instance: "x", nonce: "x", at: "" } })),
      );
      return "none";
    };
    expect(await ladderOn(store).claim(claimOf("mine"))).toBeUndefined();
    expect(races).toBe(20);
  });

  test("of a process that was frozen gets no number that others used and pruned", async () => {
    const store = storeOf({ 1: claimFrame(1, 0), 2: checkpointFrame(2) });
    store.onCreate = async (): Promise<StoreFault> => {
      store.onCreate = () => "none";
      // Meanwhile numbers 3 to 12 were written, and those below the newest five checkpoints pruned.
      await store.remove(nameOf(2));
      await store.create(nameOf(12), encodeFrame(checkpointFrame(12)));
      return "none";
    };
    expect(await ladderOn(store).claim(claimOf("late"))).toBeUndefined();
    expect(await ladderOn(store).claim(claimOf("late"))).toMatchObject({ seq: 13 });
  });

  test("whose answer was lost is recognised as ours", async () => {
    const store = storeOf({});
    store.onCreate = () => "lost answer";
    expect(await ladderOn(store).claim(claimOf("mine"))).toMatchObject({ seq: 1 });
  });

  test.each(["refused", "lost answer"] as const)(
    "with an outage (%s) is tried again later",
    async (fault) => {
      const store = storeOf({});
      store.onCreate = () => fault;
      store.onRead = () => (fault === "refused" ? "none" : "refused");
      await expect(ladderOn(store).claim(claimOf("mine"))).rejects.toMatchObject({
        code: "CHECKPOINT_UNWRITABLE",
        disposition: "retry",
      });
    },
  );
});

describe("creating a number", () => {
  const mine = checkpointFrame(3);
  const theirs = claimFrame(3, 2, { writer: { instance: "two", nonce: "theirs", at: "" } });

  test.each([
    ["nobody was there", {}, "none", "none", "mine"],
    ["it got through without an answer", {}, "lost answer", "none", "mine"],
    ["it did not get through", {}, "refused", "none", "failed"],
    ["it may be on its way", {}, "late", "none", "unknown"],
    ["somebody was there, and it may be on its way", { 3: theirs }, "late", "none", "taken"],
    ["nobody answers", {}, "refused", "refused", "unknown"],
    ["it got through and nobody answers", {}, "lost answer", "refused", "unknown"],
    ["somebody was there", { 3: theirs }, "none", "none", "taken"],
    ["somebody was there and the answer was lost", { 3: theirs }, "lost answer", "none", "taken"],
    ["something unreadable was there", { 3: "broken" }, "none", "none", "taken"],
    ["somebody was there and cannot be asked who", { 3: theirs }, "none", "refused", "unknown"],
    [
      "an attempt before had got through",
      {
        3: {
          ...mine,
          header: { ...mine.header, writer: { ...mine.header.writer, nonce: "first try" } },
        },
      },
      "none",
      "none",
      "earlier",
    ],
  ] as const)("when %s", async (_, frames, create, read, outcome) => {
    const store = storeOf(frames);
    store.onCreate = () => create;
    store.onRead = () => read;
    const created = await ladderOn(store).create(mine, new Set(["no try", "first try"]));
    expect(created.outcome).toBe(outcome);
  });

  test("says why the store did not take it", async () => {
    for (const fault of ["refused", "late"] as const) {
      const store = storeOf({});
      store.onCreate = () => fault;
      const created = await ladderOn(store).create(mine, noAttempts);
      expect(created).toMatchObject({ cause: { message: "the store does not answer" } });
    }
  });

  test("that exists and vanished meanwhile was taken by somebody", async () => {
    const store = storeOf({ 3: theirs });
    store.onRead = (name) => {
      void store.inner.remove(name);
      return "none";
    };
    expect(await ladderOn(store).create(mine, noAttempts)).toEqual({ outcome: "taken" });
  });
});

describe("pruning", () => {
  const claims = {
    1: claimFrame(1, 0),
    4: claimFrame(4, 3),
    8: claimFrame(8, 7),
    11: claimFrame(11, 10),
  };
  const checkpoints = Object.fromEntries(
    [2, 3, 5, 6, 7, 9, 10].map((seq) => [seq, checkpointFrame(seq)]),
  );

  async function left(store: FaultyStore): Promise<number[]> {
    return (await store.list(folder)).map(Number).sort((a, b) => a - b);
  }

  test("keeps five checkpoints, what lies above, and claims younger than a week", async () => {
    const store = storeOf({ ...claims, ...checkpoints });
    await prune(ladderOn(store), 11, 7 * day);
    expect(await left(store)).toEqual([1, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("removes claims that are a week old, below the five only", async () => {
    const store = storeOf({ ...claims, ...checkpoints });
    // The claims are of second 1, 4, 8 and 11 after the epoch.
    await prune(ladderOn(store), 11, 7 * day + 1_000);
    expect(await left(store)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    await prune(ladderOn(store), 11, 100 * day);
    expect(await left(store)).toEqual([5, 6, 7, 8, 9, 10, 11]);
  });

  test("does not count broken ones as kept, and removes them below", async () => {
    const store = storeOf({ ...checkpoints, 1: "broken", 8: "broken", 11: "broken" });
    await prune(ladderOn(store), 11, 0);
    expect(await left(store)).toEqual([5, 6, 7, 8, 9, 10, 11]);
  });

  test("touches nothing above the owner's newest number", async () => {
    const store = storeOf(checkpoints);
    await prune(ladderOn(store), 7, 0);
    expect(await left(store)).toEqual([2, 3, 5, 6, 7, 9, 10]);
  });

  test("knows what it wrote and met itself without reading it again", async () => {
    const store = storeOf({});
    const ladder = ladderOn(store);
    for (let seq = 1; seq <= 8; seq++) await ladder.create(checkpointFrame(seq), noAttempts);
    store.onRead = () => "refused";
    await prune(ladder, 8, 0);
    expect(await left(store)).toEqual([4, 5, 6, 7, 8]);
  });
});

test("folders name job and partition, objects their number only", async () => {
  const store = memoryCheckpointStore();
  await new CheckpointLadder(store, "ads", 7).create(checkpointFrame(42), noAttempts);
  expect([...store.objects.keys()]).toEqual(["ads/p0007/000000000042"]);
});
