import * as fc from "fast-check";
import { expect, test } from "vitest";

import {
  type Arrival,
  type Arriving,
  createIntakeQueue,
  type IntakeQueue,
} from "../src/intake-queue.ts";
import { resultDocumentId } from "../src/merge.ts";
import { decodedRows } from "../src/result-rows.ts";
import { adResult } from "./fakes/ad-results.ts";

const recordBytes = 10;

type Given = { readonly ad: string; readonly slot?: number; readonly version: bigint };

const documentId = (result: Arrival["results"][number]): string => resultDocumentId(result);

function resultOf({ ad, slot = 0, version }: Given): Arrival["results"][number] {
  return adResult({ ad_id: ad, slot, version });
}

/** A batch whose records lie one behind the other in `memory`. */
function arrival(
  nextOffset: number,
  given: readonly Given[],
  memory = Buffer.from(new ArrayBuffer(recordBytes * 10)),
): Arriving {
  const records = given.map(({ ad, slot = 0, version }, at) => {
    const offset = nextOffset - given.length + at;
    const value = memory.subarray(recordBytes * at, recordBytes * (at + 1));
    value.write(`${ad}/${slot}@${version}`.padEnd(recordBytes));
    return { partition: 0, offset, timestamp: 0, key: Buffer.from(ad), value };
  });
  const rows = decodedRows(given.map(resultOf), records, "ad_id");
  const where = { partition: 0, nextOffset, canary: `${nextOffset}`, maxTimestamp: nextOffset };
  return { ...where, rows, refused: [] };
}

function resultsOf({ rows }: Arriving): Arrival["results"][number][] {
  return Array.from({ length: rows.count }, (_, row) => rows.result(row));
}

const textOf = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? "null").toString();

/** `next offset: ad/slot@version from offset …` of each. */
function told(arrivals: readonly Arrival[]): string[] {
  return arrivals.map(({ nextOffset, results, records }) => {
    const from = records([...results.keys()]);
    const each = results.map(({ ad_id, slot, version }, at) => {
      const { key = null, value = null, offset } = from[at] ?? {};
      const text = `${ad_id}/${slot}@${version}`;
      expect([textOf(key), textOf(value).trim()]).toEqual([ad_id, text]);
      return `${text} from ${offset}`;
    });
    return `${nextOffset}: ${each.join(" ")}`;
  });
}

test("of a slot only the newest version waits, with its record, whichever came first", () => {
  const queue = createIntakeQueue();
  const first = [
    { ad: "a", version: 2n },
    { ad: "b", version: 2n },
    { ad: "a", slot: 1, version: 2n },
  ];
  queue.add(arrival(3, first));
  const second = [
    { ad: "a", version: 4n },
    { ad: "a", version: 6n },
    { ad: "b", version: 1n },
  ];
  queue.add(arrival(6, second));
  expect(queue.results).toBe(3);
  const taken = queue.take(100);
  expect(told(taken)).toEqual(["3: b/0@2 from 1 a/1@2 from 2", "6: a/0@6 from 4"]);
  expect(taken.map(({ superseded }) => superseded)).toEqual([1, 2]);
  expect([queue.results, queue.arrivals, queue.bytes]).toEqual([0, 0, 0]);
});

test("a batch that is superseded altogether is taken with those before it: its offset is done", () => {
  const queue = createIntakeQueue();
  queue.add(arrival(1, [{ ad: "a", version: 2n }]));
  queue.add(arrival(2, [{ ad: "b", version: 2n }]));
  queue.add(arrival(3, [{ ad: "a", version: 4n }]));
  expect(told(queue.take(1))).toEqual(["1: ", "2: b/0@2 from 1"]);
  expect(told(queue.take(1))).toEqual(["3: a/0@4 from 2"]);
});

test("what was taken supersedes nothing, and is not superseded", () => {
  const queue = createIntakeQueue();
  queue.add(arrival(1, [{ ad: "a", version: 4n }]));
  expect(told(queue.take(1))).toEqual(["1: a/0@4 from 0"]);
  queue.add(arrival(2, [{ ad: "a", version: 2n }]));
  expect(told(queue.take(1))).toEqual(["2: a/0@2 from 1"]);
});

test("memory counts once for each buffer, as long as a record lies in it", () => {
  const queue = createIntakeQueue();
  const shared = Buffer.from(new ArrayBuffer(1_000));
  queue.add(arrival(1, [{ ad: "a", version: 2n }], shared));
  queue.add(arrival(2, [{ ad: "b", version: 2n }], shared));
  queue.add(arrival(3, []));
  expect(queue.bytes).toBe(1_000);
  queue.add(arrival(3, [{ ad: "a", version: 4n }], Buffer.from(new ArrayBuffer(50))));
  expect(queue.bytes).toBe(1_050);
  queue.add(arrival(4, [{ ad: "b", version: 4n }], Buffer.from(new ArrayBuffer(50))));
  expect(queue.bytes).toBe(100);
  queue.take(1);
  expect(queue.bytes).toBe(50);
  queue.clear();
  expect([queue.results, queue.arrivals, queue.bytes]).toEqual([0, 0, 0]);
  queue.add(arrival(5, [{ ad: "b", version: 2n }]));
  expect(queue.results).toBe(1);
});

function batchOf(ads: string, version: bigint, bytes: number): Arriving {
  const given = Array.from(ads, (ad) => ({ ad, version }));
  return arrival(Number(version), given, Buffer.from(new ArrayBuffer(bytes)));
}

test("what is left of a batch is copied out of its memory once that is too much", () => {
  const queue = createIntakeQueue({ rows: 1_000, bytes: 2_500 });
  const first = batchOf("abcd", 4n, 1_000);
  queue.add(first);
  queue.add(batchOf("abcx", 8n, 1_000));
  expect(first.rows.names.map((name) => name === "")).toEqual([true, true, true, false]);
  expect(queue.bytes).toBe(2_000);
  queue.add(batchOf("aby", 11n, 1_000));
  // Of the first and the second one and two records are left, each with a key of one byte; all of the third.
  expect(queue.bytes).toBe(11 + 22 + 1_000);
  queue.add(batchOf("d", 12n, 40));
  expect(queue.bytes).toBe(22 + 1_000 + 40);
  const taken = queue.take(100);
  expect(taken.map(({ superseded }) => superseded)).toEqual([4, 2, 0, 0]);
  expect(told(taken)).toEqual([
    "4: ",
    "8: c/0@8 from 6 x/0@8 from 7",
    "11: a/0@11 from 8 b/0@11 from 9 y/0@11 from 10",
    "12: d/0@12 from 11",
  ]);
  expect([queue.results, queue.arrivals, queue.bytes]).toEqual([0, 0, 0]);
});

test("so it is where there are many rows, and what is full is left where it is", () => {
  const queue = createIntakeQueue({ rows: 6, bytes: 10_000 });
  queue.add(batchOf("abc", 3n, 1_000));
  queue.add(batchOf("uvw", 6n, 1_000));
  queue.add(batchOf("ab", 8n, 1_000));
  expect(queue.bytes).toBe(11 + 2_000);
  // Not again before there is twice as much; a batch of which nothing is left does not count.
  queue.add(batchOf("abuv", 12n, 1_000));
  expect(queue.bytes).toBe(11 + 2_000);
  expect(told(queue.take(1))).toEqual(["3: c/0@3 from 2"]);
  // Or before something was taken.
  queue.add(batchOf("a", 13n, 1_000));
  expect(queue.bytes).toBe(11 + 2_000);
});

test("memory of full batches is not looked through again before there is twice as much", () => {
  const queue = createIntakeQueue({ rows: 1_000, bytes: 1_500 });
  queue.add(batchOf("abcd", 4n, 1_000));
  queue.add(batchOf("efgh", 8n, 1_000));
  queue.add(batchOf("abc", 11n, 50));
  expect(queue.bytes).toBe(2_050);
});

test.each(["taken", "cleared"])("rows that were %s do not count any more", (what) => {
  const queue = createIntakeQueue({ rows: 6, bytes: 10_000 });
  queue.add(batchOf("wx", 4n, 1_000));
  if (what === "taken") queue.take(1);
  else queue.clear();
  queue.add(batchOf("abc", 7n, 1_000));
  queue.add(batchOf("ab", 9n, 1_000));
  expect(queue.bytes).toBe(2_000);
});

test("records that are refused keep memory, too, until they are taken", () => {
  const queue = createIntakeQueue();
  const value = Buffer.from(new ArrayBuffer(500));
  const refused = [{ partition: 0, offset: 0, timestamp: 0, key: null, value, reason: "none" }];
  queue.add({ ...arrival(1, []), refused });
  queue.add({ ...arrival(2, [{ ad: "a", version: 2n }], value), refused });
  expect(queue.bytes).toBe(500);
  queue.add(arrival(3, [{ ad: "a", version: 4n }], Buffer.from(new ArrayBuffer(50))));
  expect(queue.bytes).toBe(550);
  queue.take(1);
  expect(queue.bytes).toBe(0);
});

/** What the store has after all of it, if it keeps the newest version of each slot. */
function newest(results: Iterable<Arrival["results"][number]>): Map<string, bigint> {
  const known = new Map<string, bigint>();
  for (const result of results) {
    const id = `${documentId(result)} ${result.slot}`;
    if ((known.get(id) ?? -1n) < result.version) known.set(id, result.version);
  }
  return known;
}

test("whatever is added and taken, the store ends with the same, and no offset is done before its results", () => {
  const given = fc.record({
    ad: fc.constantFrom("a", "b", "c"),
    slot: fc.nat(1),
    version: fc.bigInt(0n, 9n),
  });
  const step = fc.oneof(fc.array(given, { maxLength: 6 }), fc.integer({ min: 1, max: 5 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(8), (steps, looseRows) => {
      const queue = createIntakeQueue({ rows: looseRows, bytes: 1_000 });
      const log: Arriving[] = [];
      const applied: Arrival["results"][number][] = [];
      let done = 0;
      const take = (most: number): void => {
        for (const taken of queue.take(most)) {
          applied.push(...taken.results);
          told([taken]);
          done = taken.nextOffset;
        }
        holds(queue, log, applied, done);
      };
      for (const [at, what] of steps.entries()) {
        if (typeof what === "number") take(what);
        else {
          log.push(arrival(at + 1, what));
          queue.add(arrival(at + 1, what));
        }
      }
      while (queue.arrivals > 0) take(2);
      expect(newest(applied)).toEqual(newest(log.flatMap(resultsOf)));
    }),
    { numRuns: 500 },
  );
});

/** A restart reads what lies behind `done` again: with what was applied it must make up all of the log. */
function holds(
  queue: IntakeQueue,
  log: readonly Arriving[],
  applied: readonly Arrival["results"][number][],
  done: number,
): void {
  const again = log.filter(({ nextOffset }) => nextOffset > done);
  const all = [...applied, ...again.flatMap(resultsOf)];
  expect(newest(all)).toEqual(newest(log.flatMap(resultsOf)));
  expect(queue.results).toBeGreaterThanOrEqual(0);
}
