import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ColumnReader, packColumns } from "../src/byte-layout.ts";

const column = fc.oneof(
  fc.float64Array({ maxLength: 9 }),
  fc.int32Array({ maxLength: 9 }),
  fc.uint8Array({ maxLength: 30 }),
);

function readLike(reader: ColumnReader, like: unknown): unknown {
  if (like instanceof Float64Array) return reader.float64();
  return like instanceof Int32Array ? reader.int32() : reader.uint8();
}

describe("packed columns", () => {
  test("are read back as they were, from any position in memory", () => {
    fc.assert(
      fc.property(fc.array(column, { maxLength: 8 }), fc.nat(7), (columns, shift) => {
        const packed = packColumns(columns);
        const moved = new Uint8Array(packed.length + shift).subarray(shift);
        moved.set(packed);
        const reader = new ColumnReader(moved);
        expect(columns.map((one) => readLike(reader, one))).toEqual(columns);
        reader.end();
      }),
      { numRuns: 1_000 },
    );
  });

  test("are copies: later changes do not reach them", () => {
    const numbers = Float64Array.of(1, 2);
    const packed = packColumns([numbers.subarray(1)]);
    numbers.fill(9);
    const read = new ColumnReader(packed).float64();
    packed.fill(0);
    expect([...read]).toEqual([2]);
  });

  test("that are cut off anywhere are refused", () => {
    const packed = packColumns([Float64Array.of(1, 2), Int32Array.of(3), Uint8Array.of(4)]);
    for (let length = 0; length < packed.length; length++) {
      const reader = new ColumnReader(packed.subarray(0, length));
      expect(() => {
        reader.float64();
        reader.int32();
        reader.uint8();
        reader.end();
      }).toThrow(expect.objectContaining({ code: "CHECKPOINT_UNREADABLE" }));
    }
  });

  test("with bytes behind the last one are refused", () => {
    const reader = new ColumnReader(Uint8Array.of(...packColumns([Uint8Array.of(4)]), 0));
    reader.uint8();
    expect(() => reader.end()).toThrow("bytes after the last column");
  });

  test.each([
    ["negative", -8],
    ["behind the end", 24],
    ["no whole number of elements", 12],
    ["a fraction", 8.5],
    ["not a number", Number.NaN],
    ["infinite", Number.POSITIVE_INFINITY],
    ["more than memory", 2 ** 60],
  ])("whose length is %s are refused before anything is allocated", (_, length) => {
    const packed = packColumns([Float64Array.of(1, 2)]);
    new DataView(packed.buffer).setFloat64(0, length, true);
    expect(() => new ColumnReader(packed).float64()).toThrow(
      expect.objectContaining({ code: "CHECKPOINT_UNREADABLE", exitCode: 78 }),
    );
  });
});
