import { Binary, Double, EJSON, ObjectId } from "bson";
import { compareNumbers, isNumber, numberKey } from "./numbers.ts";
import { isDocument, typeName, type TypeName } from "./values.ts";

/** MongoDB's order of types; equal ranks compare by value. */
const ranks: Readonly<Record<TypeName, number>> = {
  minKey: 0,
  missing: 1,
  null: 1,
  int: 2,
  long: 2,
  double: 2,
  decimal: 2,
  string: 3,
  symbol: 3,
  object: 4,
  array: 5,
  binData: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  timestamp: 10,
  regex: 11,
  javascript: 12,
  maxKey: 13,
};

/** Rank of a value's type; filters compare only within one rank. */
export function typeRank(value: unknown): number {
  return ranks[typeName(value)];
}

/** Total order over all BSON values: negative, 0 or positive. A missing value equals null. */
export function compareValues(left: unknown, right: unknown): number {
  if (typeof left === "string" && typeof right === "string") return compareStrings(left, right);
  if (isNumber(left) && isNumber(right)) return compareNumbers(left, right);
  const rank = typeRank(left);
  const byRank = rank - typeRank(right);
  return byRank === 0 ? compareWithin(rank, left, right) : byRank;
}

/** Equal in a filter: numbers across types, documents by field order. */
export function equalValues(left: unknown, right: unknown): boolean {
  return compareValues(left, right) === 0;
}

/** Equal in value and in every type within: writing one over the other would change nothing. */
export function identicalValues(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeName(left) !== typeName(right)) return false;
  if (Array.isArray(left) && Array.isArray(right)) {
    return (
      left.length === right.length && left.every((item, at) => identicalValues(item, right[at]))
    );
  }
  if (isDocument(left) && isDocument(right)) {
    const names = Object.keys(left);
    const others = Object.keys(right);
    return (
      names.length === others.length &&
      names.every((name, at) => others[at] === name && identicalValues(left[name], right[name]))
    );
  }
  if (left instanceof Double && right instanceof Double) return Object.is(left.value, right.value);
  return typeName(left) === "decimal" ? String(left) === String(right) : equalValues(left, right);
}

/** One string per class of equal values: what the `_id` map and unique indexes are keyed by. */
export function valueKey(value: unknown): string {
  if (typeof value === "string") return `s${value}`;
  if (isNumber(value)) return `n${numberKey(value)}`;
  if (value === undefined || value === null) return "z";
  if (value instanceof ObjectId) return `o${value.toHexString()}`;
  if (value instanceof Date) return `d${value.getTime()}`;
  if (typeof value === "boolean") return `b${String(value)}`;
  if (Array.isArray(value)) return `[${value.map((item) => sized(valueKey(item))).join("")}`;
  if (isDocument(value)) {
    return `{${Object.entries(value)
      .map(([name, inner]) => sized(name) + sized(valueKey(inner)))
      .join("")}`;
  }
  return `x${EJSON.stringify({ value }, { relaxed: false })}`;
}

/** Keys of several values as one; the lengths keep neighbours apart. */
export function compoundKey(values: readonly unknown[]): string {
  return values.map((value) => sized(valueKey(value))).join("");
}

function sized(text: string): string {
  return `${text.length}:${text}`;
}

function compareWithin(rank: number, left: unknown, right: unknown): number {
  if (Array.isArray(left) && Array.isArray(right)) return compareArrays(left, right);
  if (isDocument(left) && isDocument(right)) return compareDocuments(left, right);
  if (left instanceof ObjectId && right instanceof ObjectId)
    return Buffer.compare(left.id, right.id);
  if (left instanceof Binary && right instanceof Binary) return compareBinaries(left, right);
  if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime();
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right);
  if (rank === ranks.null || rank === ranks.minKey || rank === ranks.maxKey) return 0;
  if (rank === ranks.timestamp) return compareTimestamps(left, right);
  if (rank === ranks.string) return compareStrings(String(left), String(right));
  return compareStrings(EJSON.stringify({ left }), EJSON.stringify({ left: right }));
}

/** By code point, as UTF-8 bytes compare: `<` on strings puts emoji before U+FF5E. */
function compareStrings(left: string, right: string): number {
  if (left === right) return 0;
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at++) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (a !== b) return surrogatesLast(a) - surrogatesLast(b);
  }
  return left.length - right.length;
}

function surrogatesLast(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}

function compareArrays(left: readonly unknown[], right: readonly unknown[]): number {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at++) {
    const order = compareValues(left[at], right[at]);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareDocuments(left: object, right: object): number {
  const ours = Object.entries(left);
  const theirs = Object.entries(right);
  for (const [at, [name, value]] of ours.entries()) {
    const other = theirs[at];
    if (other === undefined) return 1;
    const order =
      typeRank(value) - typeRank(other[1]) ||
      compareStrings(name, other[0]) ||
      compareValues(value, other[1]);
    if (order !== 0) return order;
  }
  return ours.length - theirs.length;
}

function compareBinaries(left: Binary, right: Binary): number {
  return (
    left.position - right.position ||
    left.sub_type - right.sub_type ||
    Buffer.compare(left.value(), right.value())
  );
}

function compareTimestamps(left: unknown, right: unknown): number {
  const [a, b] = [BigInt(String(left)), BigInt(String(right))];
  return a < b ? -1 : Number(a > b);
}
