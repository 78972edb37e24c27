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

type Given = { readonly ad: string; readonly slot?: number; readonly version: bigint };

const documentId = (result: Arrival["results"][number]): string => resultDocumentId(result);

function resultOf({ ad, slot = 0, version }: Given): Arrival["results"][number] {
  return adResult({ ad_id: ad, slot, version });
}

/** A batch whose records lie one behind the other in `memory`. */
function arrival(
  nextOffset: number,
  given: readonly Given[],
  memory = Buffer.from(new ArrayBuffer(64)),
): Arriving {
  const records = given.map((_, at) => {
    const offset = nextOffset - given.length + at;
    return { partition: 0, offset, timestamp: 0, key: null, value: memory.subarray(at, at + 1) };
  });
  const rows = decodedRows(given.map(resultOf), records, "ad_id");
  const where = { partition: 0, nextOffset, canary: `${nextOffset}`, maxTimestamp: nextOffset };
  return { ...where, rows, refused: [] };
}

function resultsOf({ rows }: Arriving): Arrival["results"][number][] {
  return Array.from({ length: rows.count }, (_, row) => rows.result(row));
}

/** `next offset: ad/slot@version from offset …` of each. */
function told(arrivals: readonly Arrival[]): string[] {
  return arrivals.map(({ nextOffset, results, record }) => {
    const each = results.map(
      ({ ad_id, slot, version }, at) => `${ad_id}/${slot}@${version} from ${record(at).offset}`,
    );
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
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const queue = createIntakeQueue();
      const log: Arriving[] = [];
      const applied: Arrival["results"][number][] = [];
      let done = 0;
      const take = (most: number): void => {
        for (const taken of queue.take(most)) {
          applied.push(...taken.results);
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
