import type { ByteCursor } from "./byte-cursor.ts";
import { ascii, isDigit, skipNumber } from "./json-scan.ts";

/** Of so few digits a number is exact, and divided by a power of ten it is rounded once (Clinger's fast path). */
const exactDigits = 15;
const powersOfTen = Array.from({ length: exactDigits + 1 }, (_, power) => 10 ** power);

/** A number as `JSON.parse` reads it; Infinity is possible. The cursor is at its first byte. */
export function readNumber(cursor: ByteCursor): number {
  const { bytes, position: from } = cursor;
  const fraction = skipNumber(cursor);
  if (cursor.fault !== 0) return 0;
  const to = cursor.position;
  const negative = bytes[from] === ascii.minus;
  const first = negative ? from + 1 : from;
  if (fraction < 0 || to - first > exactDigits) return Number(textOf(cursor, from, to));
  let digits = 0;
  for (let position = first; position < to; position++) {
    const byte = bytes[position] ?? 0;
    if (byte !== ascii.point) digits = digits * 10 + byte - ascii.zero;
  }
  const value = fraction === 0 ? digits : digits / (powersOfTen[fraction] ?? 1);
  return negative ? -value : value;
}

/**
 * A number divided by ten to the `power`, towards -Infinity: exact for whole ones, however many digits they have, while
 * others go through what `JSON.parse` makes of them.
 */
export function readQuotient(cursor: ByteCursor, power: number): number {
  const { bytes, position: from } = cursor;
  const fraction = skipNumber(cursor);
  if (cursor.fault !== 0) return 0;
  const to = cursor.position;
  const negative = bytes[from] === ascii.minus;
  let whole = 0;
  let rest = 0;
  for (let position = negative ? from + 1 : from; position < to; position++) {
    const byte = bytes[position] ?? 0;
    if (fraction !== 0 || !isDigit(byte)) {
      // Adding 0 turns -0 into 0, here and below.
      return Math.floor(Number(textOf(cursor, from, to)) / 10 ** power) + 0;
    }
    if (position < to - power) whole = whole * 10 + byte - ascii.zero;
    else rest += byte - ascii.zero;
  }
  if (!negative) return whole;
  return rest === 0 ? 0 - whole : -whole - 1;
}

function textOf({ bytes }: ByteCursor, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}
