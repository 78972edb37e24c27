import { Decimal128, Double, Int32, Long } from "bson";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  add,
  compareNumbers,
  multiply,
  numberKey,
  type BsonNumber,
} from "../../src/mongo/numbers.ts";

const numbers: fc.Arbitrary<BsonNumber> = fc.oneof(
  fc.integer().map((value) => new Int32(value)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
  fc.double().map((value) => new Double(value)),
  fc.integer({ min: -20, max: 20 }).map((value) => new Double(value)),
  fc.integer({ min: -20, max: 20 }).map((value) => Long.fromNumber(value)),
  fc
    .tuple(fc.integer({ min: -200, max: 200 }), fc.integer({ min: -3, max: 3 }))
    .map(([digits, exponent]) => Decimal128.fromString(`${digits}E${exponent}`)),
);

test("the order of numbers is total over all types", () => {
  fc.assert(
    fc.property(numbers, numbers, numbers, (a, b, c) => {
      expect(Math.sign(compareNumbers(a, b))).toBe(0 - Math.sign(compareNumbers(b, a)));
      if (compareNumbers(a, b) <= 0 && compareNumbers(b, c) <= 0) {
        expect(compareNumbers(a, c)).toBeLessThanOrEqual(0);
      }
    }),
  );
});

test("two numbers have the same key exactly when they are equal", () => {
  fc.assert(
    fc.property(numbers, numbers, (a, b) => {
      expect(numberKey(a) === numberKey(b)).toBe(compareNumbers(a, b) === 0);
    }),
    { numRuns: 2_000 },
  );
});

test.for<[string, BsonNumber, BsonNumber, number]>([
  ["int = double", new Int32(1), new Double(1), 0],
  ["int = long", new Int32(1), Long.ONE, 0],
  ["int = decimal", new Int32(1), Decimal128.fromString("1.00"), 0],
  ["2^53 + 1 > 2^53 as a double", Long.fromBigInt(2n ** 53n + 1n), new Double(2 ** 53), 1],
  ["0.1 as a double > 0.1 as a decimal", new Double(0.1), Decimal128.fromString("0.1"), 1],
  ["NaN < -Infinity", new Double(Number.NaN), new Double(-Infinity), -1],
  ["NaN = decimal NaN", new Double(Number.NaN), Decimal128.fromString("NaN"), 0],
  ["-0 = 0", new Double(-0), new Int32(0), 0],
  ["decimal 1E6144 < Infinity", Decimal128.fromString("1E6144"), new Double(Infinity), -1],
])("%s", ([, left, right, expected]) => {
  expect(Math.sign(compareNumbers(left, right))).toBe(expected);
});

test.for<[string, BsonNumber, BsonNumber]>([
  ["int + int stays int", add(new Int32(1), new Int32(2)), new Int32(3)],
  [
    "an int that overflows becomes a long",
    add(new Int32(2 ** 31 - 1), new Int32(1)),
    Long.fromNumber(2 ** 31),
  ],
  ["long + int stays long", add(Long.fromNumber(1), new Int32(2)), Long.fromNumber(3)],
  [
    "long + int is exact past 2^53",
    add(Long.fromBigInt(2n ** 60n), new Int32(1)),
    Long.fromBigInt(2n ** 60n + 1n),
  ],
  ["long + double becomes double", add(Long.fromNumber(1), new Double(2)), new Double(3)],
  [
    "int + decimal becomes decimal",
    add(new Int32(1), Decimal128.fromString("0.10")),
    Decimal128.fromString("1.10"),
  ],
  ["int * int stays int", multiply(new Int32(3), new Int32(2)), new Int32(6)],
  ["double * int stays double", multiply(new Double(3), new Int32(2)), new Double(6)],
  [
    "decimal * decimal is exact",
    multiply(Decimal128.fromString("1.1"), Decimal128.fromString("1.1")),
    Decimal128.fromString("1.21"),
  ],
])("%s", ([, actual, expected]) => {
  expect(actual).toStrictEqual(expected);
});

test("a long that overflows is an error, not a wrong number", () => {
  expect(() => add(Long.MAX_VALUE, new Int32(1))).toThrow("integer overflow");
});
