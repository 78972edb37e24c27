import { Binary, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from "bson";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { compareValues, equalValues, identicalValues, valueKey } from "../../src/mongo/compare.ts";

/** Ascending, one or two of each type: MongoDB's order of BSON types. */
const ascending: readonly unknown[] = [
  new MinKey(),
  null,
  new Double(-1.5),
  new Int32(0),
  Long.fromNumber(7),
  Decimal128.fromString("7.5"),
  "",
  "a",
  "a\u0000",
  "b",
  "\uFF5E",
  "😀",
  {},
  { a: new Int32(1) },
  { a: new Int32(1), b: new Int32(1) },
  { a: new Int32(2) },
  { a: "1" },
  [],
  [new Int32(1)],
  [new Int32(1), new Int32(0)],
  [new Int32(2)],
  new Binary(Buffer.from([9])),
  new Binary(Buffer.from([0, 0])),
  new ObjectId("000000000000000000000001"),
  new ObjectId("000000000000000000000002"),
  false,
  true,
  new Date(-1),
  new Date(1),
  new Timestamp({ t: 1, i: 1 }),
  new Timestamp({ t: 1, i: 2 }),
  new MaxKey(),
];

test("values of all types sort as MongoDB sorts them", () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...ascending], { minLength: ascending.length }),
      (shuffled) => {
        expect(shuffled.toSorted(compareValues)).toEqual(ascending);
      },
    ),
    { numRuns: 20 },
  );
});

test("values have the same key exactly when they are equal", () => {
  for (const left of ascending) {
    for (const right of ascending) {
      expect(valueKey(left) === valueKey(right)).toBe(equalValues(left, right));
    }
  }
});

test("strings sort as their UTF-8 bytes do", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 4 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareValues(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test.for<[string, unknown, unknown]>([
  ["elements", ["a", "b"], ["asb"]],
  ["fields", { a: "b", c: "d" }, { a: "bcsd" }],
  ["names", { a: "b" }, { as: "b" }],
  ["nested arrays", [["a"], "b"], [["a", "b"]]],
])("keys of neighbouring %s do not run into each other", ([, a, b]) => {
  expect(valueKey(a)).not.toBe(valueKey(b));
});

test.for<[string, unknown, unknown]>([
  ["int and double", new Int32(1), new Double(1)],
  ["int and long", new Int32(1), Long.ONE],
  ["inside a document", { a: [new Int32(1)] }, { a: [new Double(1)] }],
  ["decimals of other precision", Decimal128.fromString("1"), Decimal128.fromString("1.0")],
  ["zero and minus zero", new Double(0), new Double(-0)],
])("%s are equal but not identical, so that writing one over the other is a change", ([, a, b]) => {
  expect(equalValues(a, b)).toBe(true);
  expect(identicalValues(a, b)).toBe(false);
});
