import { rejectCode } from "@adstream/engine/columns";

import { fail, type ByteCursor } from "./byte-cursor.ts";

/**
 * The grammar of RFC 8259 over bytes, as `JSON.parse` has it: what is malformed makes the cursor fail. Strings are not
 * looked into for UTF-8.
 */
export const malformedJson: number = rejectCode("malformed JSON");

export const ascii = {
  quote: 0x22,
  comma: 0x2c,
  minus: 0x2d,
  point: 0x2e,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  n: 0x6e,
  u: 0x75,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** Containers within containers: far more than people nest. */
const maxDepth = 1_000;
/** 1 for bytes that a string holds as they are. */
const plain = new Uint8Array(256).fill(1, 0x20);
plain[ascii.quote] = 0;
plain[ascii.backslash] = 0;
const shortEscapes: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));
const hexDigits: ReadonlySet<number> = new Set(Buffer.from("0123456789abcdefABCDEF"));
const literals: readonly Uint8Array[] = ["true", "false", "null"].map((word) => Buffer.from(word));
/** Kinds of the containers around a value that is skipped; the cursor's depth says how many. */
const around = new Uint8Array(maxDepth + 1);

/** Moves behind white space. @returns the byte there; 0, which begins nothing in JSON, at the end */
export function skipSpace(cursor: ByteCursor): number {
  const { bytes, position, end } = cursor;
  const byte = bytes[position] ?? 0;
  // Most JSON has none, and this much is small enough for the compiler to put into every caller.
  return byte > 0x20 && position < end ? byte : skipSpaces(cursor);
}

function skipSpaces(cursor: ByteCursor): number {
  const { bytes, end } = cursor;
  let { position } = cursor;
  while (position < end) {
    const byte = bytes[position] ?? 0;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
      cursor.position = position;
      return byte;
    }
    position++;
  }
  cursor.position = end;
  return 0;
}

/** Moves from an opening quote behind the closing one. @returns whether there are escapes in between */
export function skipString(cursor: ByteCursor): boolean {
  const { bytes, view, end } = cursor;
  let position = cursor.position + 1;
  while (position + 4 <= end && fourPlain(view.getInt32(position, true))) position += 4;
  while (position < end && plain[bytes[position] ?? 0] === 1) position++;
  if (position < end && bytes[position] === ascii.quote) {
    cursor.position = position + 1;
    return false;
  }
  skipEscapes(cursor, position);
  return true;
}

/**
 * Whether four bytes at once are what a string holds as it is. false may be a mistake, true never: a byte is told from
 * 0x22, 0x5c and those below 0x20 by what a subtraction borrows (Bit Twiddling Hacks, "determine if a word has a zero byte").
 */
function fourPlain(word: number): boolean {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  const found =
    ((quotes - 0x01010101) & ~quotes) |
    ((backslashes - 0x01010101) & ~backslashes) |
    ((word - 0x20202020) & ~word);
  return (found & 0x80808080) === 0;
}

function skipEscapes(cursor: ByteCursor, from: number): void {
  const { bytes, end } = cursor;
  let position = from;
  while (position < end && bytes[position] === ascii.backslash) {
    const escape = position + 1 < end ? (bytes[position + 1] ?? 0) : 0;
    if (escape !== ascii.u) {
      if (!shortEscapes.has(escape)) break;
      position += 2;
    } else {
      for (let digit = position + 2; digit < position + 6; digit++) {
        if (digit >= end || !hexDigits.has(bytes[digit] ?? 0)) {
          fail(cursor, malformedJson);
          return;
        }
      }
      position += 6;
    }
    while (position < end && plain[bytes[position] ?? 0] === 1) position++;
  }
  if (position < end && bytes[position] === ascii.quote) cursor.position = position + 1;
  else fail(cursor, malformedJson);
}

/** Whether a value that begins with `byte` can only be a number. */
export function beginsNumber(byte: number): boolean {
  return byte === ascii.minus || isDigit(byte);
}

export function isDigit(byte: number): boolean {
  return byte >= ascii.zero && byte <= ascii.nine;
}

/** Moves behind a name and its colon. */
function skipName(cursor: ByteCursor): void {
  if (skipSpace(cursor) !== ascii.quote) {
    fail(cursor, malformedJson);
    return;
  }
  skipString(cursor);
  if (skipSpace(cursor) === ascii.colon) cursor.position++;
  else fail(cursor, malformedJson);
}

/** Moves behind any value, however deep, from its first byte. */
export function skipValue(cursor: ByteCursor): void {
  cursor.depth = 0;
  do {
    const byte = skipSpace(cursor);
    if (byte === ascii.openBrace) enter(cursor, ascii.closeBrace);
    else if (byte === ascii.openBracket) enter(cursor, ascii.closeBracket);
    else {
      skipScalar(cursor, byte);
      leave(cursor);
    }
  } while (cursor.depth > 0 && cursor.fault === 0);
  cursor.depth = 0;
}

/** Into a container, up to its first value; out of it again, and of those around that end, where it is empty. */
function enter(cursor: ByteCursor, closing: number): void {
  cursor.position++;
  if (cursor.depth >= maxDepth) {
    fail(cursor, malformedJson);
    return;
  }
  around[++cursor.depth] = closing;
  if (skipSpace(cursor) === closing) {
    cursor.position++;
    cursor.depth--;
    leave(cursor);
  } else if (closing === ascii.closeBrace) skipName(cursor);
}

/** From behind a value to the next one within the containers around it, or out of all of them. */
function leave(cursor: ByteCursor): void {
  while (cursor.depth > 0) {
    const closing = around[cursor.depth] ?? 0;
    const byte = skipSpace(cursor);
    if (byte === ascii.comma) {
      cursor.position++;
      if (closing === ascii.closeBrace) skipName(cursor);
      return;
    }
    if (byte !== closing) {
      fail(cursor, malformedJson);
      return;
    }
    cursor.position++;
    cursor.depth--;
  }
}

function skipScalar(cursor: ByteCursor, byte: number): void {
  if (byte === ascii.quote) skipString(cursor);
  else if (beginsNumber(byte)) skipNumber(cursor);
  else skipLiteral(cursor);
}

function skipLiteral(cursor: ByteCursor): void {
  const { bytes, position, end } = cursor;
  const word = literals.find((one) => one[0] === bytes[position]);
  const sound =
    word !== undefined &&
    position + word.length <= end &&
    word.every((byte, index) => byte === bytes[position + index]);
  if (sound) cursor.position = position + word.length;
  else fail(cursor, malformedJson);
}

/** @returns how many bytes the fraction has digits; -1 where there is an exponent */
export function skipNumber(cursor: ByteCursor): number {
  const { bytes } = cursor;
  if (bytes[cursor.position] === ascii.minus) cursor.position++;
  if (cursor.position < cursor.end && bytes[cursor.position] === ascii.zero) cursor.position++;
  else skipDigits(cursor);
  let fraction = 0;
  if (cursor.position < cursor.end && bytes[cursor.position] === ascii.point) {
    cursor.position++;
    fraction = skipDigits(cursor);
  }
  // Upper and lower case differ in one bit.
  if (cursor.position >= cursor.end || ((bytes[cursor.position] ?? 0) | 0x20) !== 0x65)
    return fraction;
  cursor.position++;
  const sign = cursor.position < cursor.end ? bytes[cursor.position] : 0;
  if (sign === ascii.minus || sign === 0x2b) cursor.position++;
  skipDigits(cursor);
  return -1;
}

/** At least one. @returns how many */
function skipDigits(cursor: ByteCursor): number {
  const { bytes, end, position: from } = cursor;
  let position = from;
  while (position < end && isDigit(bytes[position] ?? 0)) position++;
  if (position === from) return fail(cursor, malformedJson);
  cursor.position = position;
  return position - from;
}
