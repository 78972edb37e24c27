import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IdTable } from "../src/id-table.ts";

function has(table: IdTable, id: string, time: number, from = -Infinity): boolean {
  const bytes = Buffer.from(`<<${id}>>`);
  return table.has(bytes, 2, bytes.length - 4, time, from);
}

/** 36 characters, of which the last eight differ. */
function uuid(at: number): string {
  return `0190a0f0-7b1c-7cc3-9a3e-0123${String(at).padStart(8, "0")}`;
}

describe("a table of ids", () => {
  // Far more than there are different hashes in a slot: some meet another one's at every step.
  test.each([
    ["UUIDs", uuid],
    ["text of equal length", (at: number): string => `event ${String(at).padStart(8, "0")}`],
    ["text of any length", (at: number): string => String(at)],
  ])("tells 30,000 %s apart and finds each again", (_, name) => {
    const table = new IdTable();
    const found = (among: IdTable): number => names.filter((id, at) => has(among, id, at)).length;
    const names = Array.from({ length: 30_000 }, (_each, at) => name(at));
    expect(found(table)).toBe(0);
    expect(found(table)).toBe(30_000);
    const restored = IdTable.of(table.contents(-Infinity));
    expect(found(restored)).toBe(30_000);
    expect(has(restored, name(30_000), 0)).toBe(false);
    expect(table.count).toBe(30_000);
  });

  test("finds the newer of equal ids, however often it grew in between", () => {
    const table = new IdTable();
    expect(has(table, "e", 1)).toBe(false);
    expect(has(table, "e", 5, 2)).toBe(false);
    for (let at = 0; at < 10_000; at++) {
      has(table, uuid(at), 3, 2);
      if (at % 100 === 0) expect(has(table, "e", 5, 2)).toBe(true);
    }
    expect(Array.from(table.contents(4).times)).toEqual([5]);
  });

  test("does not keep what would not count", () => {
    const table = new IdTable();
    expect([has(table, "e", 1, 2), has(table, "e", 1, 2), table.count]).toEqual([false, false, 0]);
  });

  test("does as a map does, and its contents follow from what it was told", () => {
    const step = fc.record({
      id: fc.oneof(fc.nat(40).map(uuid), fc.nat(40).map(String)),
      time: fc.nat(100),
      ahead: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), fc.nat(600), (steps, cut) => {
        let table = new IdTable();
        const whole = new IdTable();
        const map = new Map<string, number>();
        let from = 0;
        for (const [at, { id, time, ahead }] of steps.entries()) {
          from += ahead / 10;
          if (at === cut) table = IdTable.of(table.contents(from));
          const known = (map.get(id) ?? -1) >= from;
          expect(has(table, id, time, from)).toBe(known);
          has(whole, id, time, from);
          if (!known) map.set(id, time);
        }
        expect(table.contents(from)).toEqual(whole.contents(from));
        const live = [...map.values()].filter((time) => time >= from);
        expect(table.contents(from).times.length).toBe(live.length);
      }),
      { numRuns: 300 },
    );
  });
});
