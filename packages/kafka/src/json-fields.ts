import assert from "node:assert/strict";

import {
  maxEventIdBytes,
  maxKeyBytes,
  type RecordColumns,
  rejectCode,
} from "@adstream/engine/columns";

import { allowedTexts, countText, findText, notDeclared } from "./avro-categories.ts";
import { appendExtra, type ByteCursor } from "./byte-cursor.ts";
import {
  type CategoryProjection,
  type EventProjection,
  type MeasuredNumber,
  measuredFields,
  type TimeUnit,
} from "./event-projection.ts";
import {
  idNotUtf8,
  idSize,
  keyNotUtf8,
  keySize,
  maxTimeMs,
  notFinite,
  notWhole,
  outOfRange,
  timeOutOfRange,
} from "./field-rejections.ts";
import { readNumber, readQuotient } from "./json-numbers.ts";
import { ascii, beginsNumber, skipString, skipValue } from "./json-scan.ts";
import { unescaped } from "./json-text.ts";
import { validUtf8 } from "./utf8.ts";
import type { ColumnReader } from "./value-rows.ts";

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

/** Digits of a unit behind those of a millisecond. */
const unitDigits: Readonly<Record<TimeUnit, number>> = { ms: 0, us: 3, ns: 6 };

/** In an order of their own: key, event time, id, numbers, categories, maxima. */
export function jsonFields(projection: EventProjection): JsonField[] {
  const { key, eventTime, eventTimeUnit = "ms", id } = projection;
  const fields = [keyField(key), timeField(eventTime, unitDigits[eventTimeUnit])];
  if (id !== undefined) fields.push(idField(id));
  for (const measured of measuredFields(projection)) {
    if ("category" in measured) {
      fields.push(categoryField(measured.category, measured.firstColumn));
    } else fields.push(numberField(measured.number, measured.columns));
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
  { field, min, max, default: fallback, whole }: MeasuredNumber,
  targets: readonly (number | undefined)[],
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
