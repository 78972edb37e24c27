import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashOfKey, KeyDictionary, unknownKey, viewOf } from "../src/key-dictionary.ts";
import { columnsOf, record } from "./logged-records.ts";

const text = (key: Uint8Array): string => Buffer.from(key).toString();

/** The id of a key that lies somewhere inside a larger array. */
function idOf(keys: KeyDictionary, key: string | Uint8Array): number {
  const bytes = Buffer.concat([Buffer.from("…"), Buffer.from(key), Buffer.from("…")]);
  return keys.idOf(viewOf(bytes), 3, bytes.length - 6);
}

const awkward = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "$where",
  "a.b",
  "\u0000",
  "\u0000\u0000",
  " ",
  "\u202Eright to left",
  "🦄",
  "🦄🦄",
  "é",
  "e\u0301",
  "x".repeat(256),
  `${"x".repeat(255)}y`,
  "0",
  "-0",
];

describe("the key dictionary", () => {
  test("tells awkward keys apart, finds them again and gives their bytes back", () => {
    const keys = new KeyDictionary();
    expect(awkward.map((key) => idOf(keys, key))).toEqual(awkward.map((_, id) => id));
    expect(awkward.map((key) => idOf(keys, key))).toEqual(awkward.map((_, id) => id));
    expect(awkward.map((_, id) => text(keys.key(id)))).toEqual(awkward);
    expect(keys.count).toBe(awkward.length);
  });

  test.each([
    ["wherever they differ", (at: number) => `ad-${at}`],
    ["and with the same end", (at: number) => `${spread(at)}same`],
  ])("tells keys with the same hash apart, %s", (_, nameOf) => {
    const twins = collidingKeys(4, nameOf);
    expect(new Set(twins.map(hashOf)).size).toBeLessThan(twins.length);
    const keys = new KeyDictionary();
    expect(twins.map((key) => idOf(keys, key))).toEqual(twins.map((_, id) => id));
    expect(twins.map((key) => idOf(keys, key))).toEqual(twins.map((_, id) => id));
  });

  test("looks many keys up at once: new ones, those of rejected rows and second twins are to be asked for", () => {
    const twins = collidingKeys(4, (at) => `ad-${at}`);
    const [first = "", second = ""] = twins.filter((a, at) =>
      twins.some((b, other) => at !== other && hashOf(a) === hashOf(b)),
    );
    const keys = new KeyDictionary();
    const known = [...awkward, first, second];
    for (const key of known) idOf(keys, key);
    const asked = [...known.toReversed(), "new"].map((key, at) => record(at, { key }));
    asked.push(record(asked.length, { key: "a.b", rejected: "short frame" }));
    const rows = columnsOf([record(0, { key: "before" }), ...asked]);
    const { keyStart, keyLength } = rows;
    const hashes = Int32Array.from(asked, (_, at) =>
      hashOfKey(viewOf(rows.bytes), keyStart[at + 1] ?? 0, keyLength[at + 1] ?? 0),
    );
    // Anywhere, even behind the end.
    keyStart[asked.length] = rows.bytes.length + 9;
    const ids = new Int32Array(asked.length);
    keys.lookUp(rows, 1, hashes, asked.length, ids);
    const expected = [
      unknownKey,
      ...known
        .slice(0, -1)
        .map((_, id) => id)
        .toReversed(),
    ];
    expect([...ids]).toEqual([...expected, unknownKey, unknownKey]);
    expect(keys.count).toBe(known.length);
  });

  test("behaves as a map from keys to the order of their first appearance", () => {
    // Long ones that differ little: in the first word, the last, or where the two overlap.
    const long = fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 13 })).map(([at, length]) => {
      const bytes = new Uint8Array(length);
      bytes[at] = 1;
      return bytes;
    });
    const key = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 3 }), long);
    fc.assert(
      fc.property(fc.array(key, { maxLength: 300 }), (all) => {
        const keys = new KeyDictionary();
        const model = new Map<string, number>();
        for (const one of all) {
          const name = Buffer.from(one).toString("hex");
          if (!model.has(name)) model.set(name, model.size);
          expect(idOf(keys, one)).toBe(model.get(name));
        }
        expect(keys.count).toBe(model.size);
      }),
      { numRuns: 300 },
    );
  });

  test("keeps the order of the keys it retains, and forgets the others", () => {
    const liveness = fc.array(fc.boolean(), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(liveness, (live) => {
        const keys = new KeyDictionary();
        for (const id of live.keys()) idOf(keys, `key ${id}`);
        const renumbered = keys.retain(Uint8Array.from(live, Number));
        const kept = [...live.keys()].filter((id) => live[id]);
        expect(kept.map((id) => renumbered[id])).toEqual(kept.map((_, at) => at));
        expect(kept.map((_, at) => text(keys.key(at)))).toEqual(kept.map((id) => `key ${id}`));
        expect([...renumbered].filter((id) => id === -1)).toHaveLength(live.length - kept.length);
        expect(idOf(keys, "new")).toBe(kept.length);
        expect(kept.map((id) => idOf(keys, `key ${id}`))).toEqual(kept.map((_, at) => at));
      }),
      { numRuns: 200 },
    );
  });

  test("shrinks in memory when it forgets", () => {
    const keys = new KeyDictionary();
    const empty = keys.byteLength;
    for (let id = 0; id < 50_000; id++) idOf(keys, `some key ${id}`);
    expect(keys.byteLength).toBeGreaterThan(20 * empty);
    keys.retain(new Uint8Array(50_000));
    expect(keys.byteLength).toBe(empty);
  });

  test("hands its contents over as ends and bytes in id order", () => {
    const keys = new KeyDictionary();
    for (const key of ["bb", "a", "ccc"]) idOf(keys, key);
    const { ends, bytes } = keys.contents();
    expect([...ends]).toEqual([2, 3, 6]);
    expect(text(bytes)).toBe("bbaccc");
  });
});

function hashOf(key: string): number {
  return hashOfKey(viewOf(Buffer.from(key)), 0, key.length);
}

/** Eight digits, all of them different from one number to the next. */
function spread(at: number): string {
  return (Math.imul(at, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
}

/** Pairs of keys with equal 32-bit hashes, found by trying: about one in 2^16 tries has a twin. */
function collidingKeys(count: number, nameOf: (at: number) => string): string[] {
  const byHash = new Map<number, string>();
  const found: string[] = [];
  for (let at = 0; found.length < count; at++) {
    const key = nameOf(at);
    const hash = hashOf(key);
    const twin = byHash.get(hash);
    if (twin === undefined) byHash.set(hash, key);
    else found.push(twin, key);
  }
  return found;
}
