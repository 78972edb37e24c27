import { Decimal128, Double, Int32, Long } from "bson";
import { CommandError } from "./errors.ts";

/** The four BSON number types, and plain JS numbers as mingo and replies use them. */
export type BsonNumber = Int32 | Long | Double | Decimal128 | number | bigint;

/** `coefficient * 10 ** exponent`, exactly. */
type Exact = { readonly coefficient: bigint; readonly exponent: number };

const mostInt = 2 ** 31 - 1;
const leastInt = -(2 ** 31);
const mostLong = 2n ** 63n - 1n;
const leastLong = -(2n ** 63n);

/** Is it of one of the number types? */
export function isNumber(value: unknown): value is BsonNumber {
  return (
    value instanceof Int32 ||
    value instanceof Double ||
    (value instanceof Long && value._bsontype === "Long") ||
    value instanceof Decimal128 ||
    typeof value === "number" ||
    typeof value === "bigint"
  );
}

/** The value as a JS number, or as a bigint where a number would round; decimals stay what they are. */
export function unwrap(value: BsonNumber): number | bigint | Decimal128 {
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Long) {
    const rounded = value.toNumber();
    return Number.isSafeInteger(rounded) ? rounded : value.toBigInt();
  }
  return value;
}

/** The nearest JS number. */
export function toNumber(value: BsonNumber): number {
  return Number(String(unwrap(value)));
}

/** MongoDB's order of numbers, across types and exact; NaN equals itself and is the least. */
export function compareNumbers(left: BsonNumber, right: BsonNumber): number {
  const a = unwrap(left);
  const b = unwrap(right);
  if (a instanceof Decimal128 || b instanceof Decimal128) return compareWithDecimal(a, b);
  if (a === b) return 0;
  if (a < b) return -1;
  if (a > b) return 1;
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1;
  return Number.isNaN(b) ? 1 : 0;
}

/** One string per value, the same for every type that holds it: 1, 1.0, Long 1 and Decimal "1.0". */
export function numberKey(value: BsonNumber): string {
  const inner = unwrap(value);
  const special = notFinite(inner);
  if (special !== undefined) return String(special);
  if (typeof inner === "number" && Number.isSafeInteger(inner)) return String(inner + 0);
  const { coefficient, exponent } = reduced(exactly(inner));
  return exponent === 0 ? String(coefficient) : `${coefficient}e${exponent}`;
}

/** Sum in the wider of both types: int, long, double, decimal; an int that overflows becomes a long. */
export function add(left: BsonNumber, right: BsonNumber): BsonNumber {
  return combine(left, right, {
    doubles: (a, b) => a + b,
    integers: (a, b) => a + b,
    decimals: (a, b) => {
      const [x, y, exponent] = aligned(a, b);
      return { coefficient: x + y, exponent };
    },
  });
}

/** Product, typed like `add`. */
export function multiply(left: BsonNumber, right: BsonNumber): BsonNumber {
  return combine(left, right, {
    doubles: (a, b) => a * b,
    integers: (a, b) => a * b,
    decimals: (a, b) => ({
      coefficient: a.coefficient * b.coefficient,
      exponent: a.exponent + b.exponent,
    }),
  });
}

type Arithmetic = {
  doubles(a: number, b: number): number;
  integers(a: bigint, b: bigint): bigint;
  decimals(a: Exact, b: Exact): Exact;
};

function combine(left: BsonNumber, right: BsonNumber, arithmetic: Arithmetic): BsonNumber {
  const a = unwrap(left);
  const b = unwrap(right);
  if (a instanceof Decimal128 || b instanceof Decimal128) return combineDecimals(a, b, arithmetic);
  if (isDouble(left) || isDouble(right))
    return new Double(arithmetic.doubles(Number(a), Number(b)));
  const result = arithmetic.integers(BigInt(a), BigInt(b));
  if (result > mostLong || result < leastLong) {
    throw new CommandError(
      2,
      `integer overflow: ${String(a)} and ${String(b)} leave the range of a long`,
    );
  }
  const fitsInt = result <= BigInt(mostInt) && result >= BigInt(leastInt);
  const ints = left instanceof Int32 && right instanceof Int32;
  return ints && fitsInt ? new Int32(Number(result)) : Long.fromBigInt(result);
}

function combineDecimals(
  a: number | bigint | Decimal128,
  b: number | bigint | Decimal128,
  arithmetic: Arithmetic,
): Decimal128 {
  const [left, right] = [notFinite(a), notFinite(b)];
  if (left !== undefined || right !== undefined) {
    const result = arithmetic.doubles(left ?? Number(String(a)), right ?? Number(String(b)));
    return Decimal128.fromString(String(result));
  }
  const { coefficient, exponent } = arithmetic.decimals(exactly(a), exactly(b));
  return Decimal128.fromStringWithRounding(`${coefficient}E${exponent}`);
}

function isDouble(value: BsonNumber): boolean {
  return value instanceof Double || (typeof value === "number" && !Number.isInteger(value));
}

function notFinite(value: number | bigint | Decimal128): number | undefined {
  if (typeof value === "bigint") return undefined;
  const rounded = typeof value === "number" ? value : specialDecimal(value);
  return rounded === undefined || Number.isFinite(rounded) ? undefined : rounded;
}

function specialDecimal(value: Decimal128): number | undefined {
  const text = value.toString();
  return /^-?(?:NaN|Infinity)$/.test(text) ? Number(text.replace("-NaN", "NaN")) : undefined;
}

function compareWithDecimal(
  a: number | bigint | Decimal128,
  b: number | bigint | Decimal128,
): number {
  const [left, right] = [notFinite(a), notFinite(b)];
  if (left !== undefined || right !== undefined) return compareNumbers(left ?? 0, right ?? 0);
  const [x, y] = aligned(exactly(a), exactly(b));
  return x === y ? 0 : x < y ? -1 : 1;
}

/** A finite number without rounding: a double is `mantissa * 2 ** n`, and `2 ** -n` is `5 ** n * 10 ** -n`. */
function exactly(value: number | bigint | Decimal128): Exact {
  if (typeof value === "bigint") return { coefficient: value, exponent: 0 };
  if (value instanceof Decimal128) return parseDecimal(value.toString());
  let halvings = 0;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    halvings++;
  }
  return { coefficient: BigInt(scaled) * 5n ** BigInt(halvings), exponent: -halvings };
}

function parseDecimal(text: string): Exact {
  const [digits = "0", power = "0"] = text.split("E");
  const [whole = "0", fraction = ""] = digits.split(".");
  return { coefficient: BigInt(whole + fraction), exponent: Number(power) - fraction.length };
}

function aligned(a: Exact, b: Exact): [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent);
  const scale = (x: Exact): bigint => x.coefficient * 10n ** BigInt(x.exponent - exponent);
  return [scale(a), scale(b), exponent];
}

function reduced({ coefficient, exponent }: Exact): Exact {
  if (coefficient === 0n) return { coefficient, exponent: 0 };
  if (exponent > 0) return { coefficient: coefficient * 10n ** BigInt(exponent), exponent: 0 };
  let [rest, power] = [coefficient, exponent];
  while (power < 0 && rest % 10n === 0n) {
    rest /= 10n;
    power++;
  }
  return { coefficient: rest, exponent: power };
}
