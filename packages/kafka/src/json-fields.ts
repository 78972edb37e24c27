import assert from "node:assert/strict";

import {
  maxEventIdBytes,
  maxKeyBytes,
  type RecordColumns,
  rejectCode,
} from "@adstream/engine/columns";

import { allowedTexts, countText, findText, notDeclared } from "./avro-categories.ts";
import { appendExtra, type ByteCursor } from "./byte-cursor.ts";
import type {
  CategoryProjection,
  ColumnReader,
  EventProjection,
  NumberProjection,
  TimeUnit,
} from "./event-projection.ts";
import { readNumber, readQuotient } from "./json-numbers.ts";
import { ascii, beginsNumber, skipString, skipValue } from "./json-scan.ts";
import { unescaped } from "./json-text.ts";
import { validUtf8 } from "./utf8.ts";

/** How a projected field is read. */
export type JsonField = {
  /** In UTF-8. */
  readonly name: Uint8Array;
  /** Reads the value at the cursor. @returns 0, or the number of a reason; the cursor may fail as well */
  readonly read: ColumnReader;
  /** In place of a value. */
  readonly whenMissing: (columns: RecordColumns, row: number) => number;
};

const otherType = rejectCode("JSON value of another type");
const keySize = rejectCode("key empty or longer than 256 bytes");
const keyNotUtf8 = rejectCode("key not UTF-8");
const idSize = rejectCode("event id empty or longer than 256 bytes");
const idNotUtf8 = rejectCode("event id not UTF-8");
const notFinite = rejectCode("number not finite");
const outOfRange = rejectCode("number out of range");
const notWhole = rejectCode("number not whole");
const timeOutOfRange = rejectCode("timestamp out of range");

/** What `Date` can hold. */
const maxTimeMs = 8.64e15;
/** Digits of a unit behind those of a millisecond. */
const unitDigits: Readonly<Record<TimeUnit, number>> = { ms: 0, us: 3, ns: 6 };

/** In an order of their own: key, event time, id, numbers, categories, maxima. */
export function jsonFields({
  key,
  eventTime,
  eventTimeUnit = "ms",
  id,
  numbers,
  categories = [],
  maxima = [],
  whole = [],
}: EventProjection): JsonField[] {
  const fields = [keyField(key), timeField(eventTime, unitDigits[eventTimeUnit])];
  if (id !== undefined) fields.push(idField(id));
  const counted = categories.reduce((sum, category) => sum + category.counted.length, 0);
  const firstMaximum = numbers.length + counted;
  for (const [column, number] of numbers.entries()) {
    const maximum = maxima.findIndex(({ field }) => field === number.field);
    if (maximum >= 0) assert.deepEqual(maxima[maximum], number, "one range");
    const columns = maximum < 0 ? [column] : [column, firstMaximum + maximum];
    fields.push(numberField(number, columns, whole.includes(number.field)));
  }
  let column = numbers.length;
  for (const category of categories) {
    fields.push(categoryField(category, column));
    column += category.counted.length;
  }
  for (const [index, number] of maxima.entries()) {
    if (numbers.some(({ field }) => field === number.field)) continue;
    fields.push(numberField(number, [firstMaximum + index], whole.includes(number.field)));
  }
  const names = new Set(fields.map(({ name }) => name.toString()));
  assert.equal(names.size, fields.length, "a projected field has one use");
  return fields;
}

function keyField(name: string): JsonField {
  return {
    name: Buffer.from(name),
    read(cursor, columns, row) {
      if (cursor.bytes[cursor.position] !== ascii.quote) return skipOther(cursor, keySize);
      const from = cursor.position;
      const start = readText(cursor, maxKeyBytes);
      if (start < 0) return start === wrongSize ? keySize : keyNotUtf8;
      columns.keyStart[row] = start;
      columns.keyLength[row] = textLength(cursor, from, start);
      return 0;
    },
    whenMissing: () => keySize,
  };
}

function idField(name: string): JsonField {
  const noId = (columns: RecordColumns, row: number): number => {
    columns.idLength[row] = 0;
    return 0;
  };
  return {
    name: Buffer.from(name),
    read(cursor, columns, row) {
      noId(columns, row);
      if (cursor.bytes[cursor.position] !== ascii.quote) return skipOther(cursor, 0);
      const from = cursor.position;
      const start = readText(cursor, maxEventIdBytes);
      if (start < 0) return start === wrongSize ? idSize : idNotUtf8;
      columns.idStart[row] = start;
      columns.idLength[row] = textLength(cursor, from, start);
      return 0;
    },
    whenMissing: noId,
  };
}

const [wrongSize, noUtf8] = [-1, -2];

/** Moves behind the string at the cursor. @returns where its text starts, in `bytes` or what they are extended by, or why it has none */
function readText(cursor: ByteCursor, maxBytes: number): number {
  const from = cursor.position;
  const escaped = skipString(cursor);
  if (cursor.fault !== 0) return wrongSize;
  const to = cursor.position;
  if (escaped) {
    const text = unescaped(cursor.bytes, from, to);
    if (text === undefined) return noUtf8;
    if (text.length === 0 || text.length > maxBytes) return wrongSize;
    return appendExtra(cursor, text);
  }
  const length = to - from - 2;
  if (length === 0 || length > maxBytes) return wrongSize;
  return validUtf8(cursor.bytes, from + 1, to - 1) ? from + 1 : noUtf8;
}

/** Of the text that `readText` found from the quote at `from`. */
function textLength(cursor: ByteCursor, from: number, start: number): number {
  if (start === from + 1) return cursor.position - from - 2;
  return cursor.bytes.length + (cursor.extra?.length ?? 0) - start;
}

function timeField(name: string, digits: number): JsonField {
  return {
    name: Buffer.from(name),
    read(cursor, columns, row) {
      if (!beginsNumber(cursor.bytes[cursor.position] ?? 0))
        return skipOther(cursor, timeOutOfRange);
      const timeMs = readQuotient(cursor, digits);
      if (!(Math.abs(timeMs) <= maxTimeMs)) return timeOutOfRange;
      columns.eventTime[row] = timeMs;
      return 0;
    },
    whenMissing: () => timeOutOfRange,
  };
}

function numberField(
  { field, min, max, default: fallback }: NumberProjection,
  targets: readonly number[],
  whole: boolean,
): JsonField {
  const store = (columns: RecordColumns, row: number, value: number): 0 => {
    for (let index = 0; index < targets.length; index++) {
      const column = columns.values[targets[index] ?? 0];
      if (column !== undefined) column[row] = value;
    }
    return 0;
  };
  return {
    name: Buffer.from(field),
    read(cursor, columns, row) {
      if (!beginsNumber(cursor.bytes[cursor.position] ?? 0)) return skipOther(cursor, notFinite);
      const value = readNumber(cursor);
      if (!Number.isFinite(value)) return notFinite;
      if (value < min || value > max) return outOfRange;
      if (whole && !Number.isInteger(value)) return notWhole;
      return store(columns, row, value);
    },
    whenMissing: (columns, row) =>
      fallback === undefined ? notFinite : store(columns, row, fallback),
  };
}

function categoryField(category: CategoryProjection, firstColumn: number): JsonField {
  const texts = allowedTexts(category);
  return {
    name: Buffer.from(category.field),
    read(cursor, columns, row) {
      if (cursor.bytes[cursor.position] !== ascii.quote) return skipOther(cursor, notDeclared);
      const from = cursor.position;
      const escaped = skipString(cursor);
      if (cursor.fault !== 0) return notDeclared;
      const { bytes, position: to } = cursor;
      const plain = escaped ? unescaped(bytes, from, to) : undefined;
      const value = escaped
        ? findText(texts, plain ?? bytes, 0, plain?.length ?? -1)
        : findText(texts, bytes, from + 1, to - from - 2);
      return value < 0 ? notDeclared : countText(category, firstColumn, columns, row, value);
    },
    whenMissing: () => notDeclared,
  };
}

/** Moves behind a value that is not of the type which is due. @returns the reason, `ofNull` where it is null */
function skipOther(cursor: ByteCursor, ofNull: number): number {
  const first = cursor.bytes[cursor.position];
  skipValue(cursor);
  return first === ascii.n ? ofNull : otherType;
}
