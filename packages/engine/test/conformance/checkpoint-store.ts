import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckpointStore } from "../../src/ports.ts";

type OpenStore = { readonly store: CheckpointStore; close(): Promise<void> };

const largeBytes = 16 * 2 ** 20;
const racers = 50;

/** The contract of `CheckpointStore`. `open` gives an empty store at each call. */
export function describeCheckpointStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`the checkpoint store ${name}`, () => {
    let opened: OpenStore;
    let store: CheckpointStore;
    beforeEach(async () => {
      opened = await open();
      ({ store } = opened);
    });
    afterEach(async () => {
      await opened.close();
    });

    test("gives back the bytes that were created", async () => {
      const bytes = everyByte(1_000);
      expect(await store.create("job/p0000/000000000001", bytes)).toBe("created");
      expect(await readBack(store, "job/p0000/000000000001")).toEqual(bytes);
    });

    test("keeps a copy: the caller may change its bytes afterwards", async () => {
      const bytes = everyByte(64);
      await store.create("job/p0000/000000000001", bytes);
      bytes.fill(0);
      expect(await readBack(store, "job/p0000/000000000001")).toEqual(everyByte(64));
    });

    test("keeps views and empty objects as they are", async () => {
      await store.create("job/p0000/000000000001", everyByte(100).subarray(7, 20));
      await store.create("job/p0000/000000000002", new Uint8Array(0));
      expect(await readBack(store, "job/p0000/000000000001")).toEqual(
        everyByte(100).subarray(7, 20),
      );
      expect(await readBack(store, "job/p0000/000000000002")).toEqual(new Uint8Array(0));
    });

    test("never replaces an object", async () => {
      await store.create("job/p0000/000000000001", Uint8Array.of(1));
      for (const bytes of [Uint8Array.of(2), Uint8Array.of(1), new Uint8Array(0)]) {
        expect(await store.create("job/p0000/000000000001", bytes)).toBe("exists");
      }
      expect(await readBack(store, "job/p0000/000000000001")).toEqual(Uint8Array.of(1));
    });

    test(`lets one of ${racers} racing writers create, and keeps what that one wrote`, async () => {
      for (let round = 1; round <= 5; round++) {
        const object = `job/p0000/00000000000${round}`;
        const writers = Array.from({ length: racers }, (_, at) =>
          store.create(object, new Uint8Array(10_000 + at).fill(at + 1)),
        );
        const outcomes = await Promise.all(writers);
        expect(outcomes.filter((outcome) => outcome === "created")).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === "exists")).toHaveLength(racers - 1);
        const winner = outcomes.indexOf("created");
        expect(await readBack(store, object)).toEqual(
          new Uint8Array(10_000 + winner).fill(winner + 1),
        );
      }
    });

    test("shows an object whole or not at all while it is being created", async () => {
      const bytes = everyByte(2 * 2 ** 20);
      const creating = store.create("job/p0000/000000000001", bytes);
      const seen: (Uint8Array | undefined)[] = [];
      for (let look = 0; look < 20; look++) seen.push(await store.read("job/p0000/000000000001"));
      await creating;
      for (const read of seen) expect(read === undefined || sameBytes(read, bytes)).toBe(true);
    });

    test("says undefined for an object that does not exist", async () => {
      expect(await store.read("job/p0000/000000000001")).toBeUndefined();
      await store.create("job/p0000/000000000001", Uint8Array.of(1));
      expect(await store.read("job/p0000/000000000002")).toBeUndefined();
      expect(await store.read("other/p0000/000000000001")).toBeUndefined();
    });

    test("lists the names of one folder, without those of others and of folders inside", async () => {
      const names = ["000000000001", "000000000010", "000000000002"];
      for (const name of names) await store.create(`job/p0000/${name}`, Uint8Array.of(1));
      await store.create("job/p0001/000000000077", Uint8Array.of(1));
      await store.create("job/p00000/000000000078", Uint8Array.of(1));
      await store.create("job-2/p0000/000000000079", Uint8Array.of(1));
      expect((await store.list("job/p0000")).sort()).toEqual(names.toSorted());
      expect(await store.list("job/p0001")).toEqual(["000000000077"]);
    });

    test("lists nothing where nothing is", async () => {
      expect(await store.list("job/p0000")).toEqual([]);
      expect(await store.list("no/such/folder")).toEqual([]);
    });

    test("lists nothing but what was created, even right after races and failures", async () => {
      const same = "job/p0000/000000000001";
      await Promise.all([same, same, same].map((name) => store.create(name, everyByte(9))));
      expect(await store.list("job/p0000")).toEqual(["000000000001"]);
    });

    test("removes an object, and its name is free again", async () => {
      await store.create("job/p0000/000000000001", Uint8Array.of(1));
      await store.create("job/p0000/000000000002", Uint8Array.of(2));
      await store.remove("job/p0000/000000000001");
      expect(await store.read("job/p0000/000000000001")).toBeUndefined();
      expect(await store.list("job/p0000")).toEqual(["000000000002"]);
      expect(await store.create("job/p0000/000000000001", Uint8Array.of(3))).toBe("created");
      expect(await readBack(store, "job/p0000/000000000001")).toEqual(Uint8Array.of(3));
    });

    test("removes what is not there without a word", async () => {
      await store.remove("job/p0000/000000000001");
      await store.remove("no/such/folder/000000000001");
      expect(await store.list("job/p0000")).toEqual([]);
    });

    test("takes large objects", async () => {
      const bytes = everyByte(largeBytes);
      expect(await store.create("job/p0000/000000000001", bytes)).toBe("created");
      const read = await readBack(store, "job/p0000/000000000001");
      expect(read.length).toBe(largeBytes);
      expect(sameBytes(read, bytes)).toBe(true);
    });
  });
}

async function readBack(store: CheckpointStore, name: string): Promise<Uint8Array> {
  const bytes = await store.read(name);
  if (bytes === undefined) throw new Error(`${name} does not exist`);
  return Uint8Array.from(bytes);
}

function everyByte(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = at * 31 + (at >>> 8);
  return bytes;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
