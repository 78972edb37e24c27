import { type RecordColumns, rejectCode } from "@adstream/engine/columns";

import { liesAt } from "./avro-categories.ts";
import { type ByteCursor, fail } from "./byte-cursor.ts";
import type { EventProjection } from "./event-projection.ts";
import { type JsonField, jsonFields } from "./json-fields.ts";
import { ascii, malformedJson, skipSpace, skipString, skipValue } from "./json-scan.ts";
import { unescaped } from "./json-text.ts";
import type { ColumnReader } from "./value-rows.ts";

const otherType = rejectCode("JSON value of another type");
/** Of a field whose name did not occur; no reason has this number. */
const unseen = 0xff;

/**
 * Composes the reader of events that are JSON objects: one pass over the bytes, in which only projected fields become
 * something. What is accepted, and what it says, is what `JSON.parse` gives; of fields of one name the last one counts,
 * so that reasons to reject a record are looked at when all of it is read.
 *
 * null and a field that is missing reject a record as null in a union of Avro does.
 */
export function composeJsonReader(projection: EventProjection): ColumnReader {
  const fields = jsonFields(projection);
  const find = nameFinder(fields);
  const reasons = new Uint8Array(fields.length);
  return (cursor, columns, row) => {
    if (skipSpace(cursor) !== ascii.openBrace) return rejectOther(cursor);
    cursor.position++;
    reasons.fill(unseen);
    if (skipSpace(cursor) === ascii.closeBrace) cursor.position++;
    else readMembers(cursor, columns, row);
    if (skipSpace(cursor) !== 0 || cursor.position < cursor.end) fail(cursor, malformedJson);
    return cursor.fault === 0 ? firstReason(columns, row) : cursor.fault;
  };

  function readMembers(cursor: ByteCursor, columns: RecordColumns, row: number): void {
    for (;;) {
      if (skipSpace(cursor) !== ascii.quote) break;
      const from = cursor.position;
      const escaped = skipString(cursor);
      const field = find(cursor, from, escaped);
      if (skipSpace(cursor) !== ascii.colon) break;
      cursor.position++;
      skipSpace(cursor);
      if (field < 0) skipValue(cursor);
      else reasons[field] = fields[field]?.read(cursor, columns, row) ?? 0;
      const next = skipSpace(cursor);
      if (next !== ascii.comma && next !== ascii.closeBrace) break;
      cursor.position++;
      if (next === ascii.closeBrace) return;
    }
    fail(cursor, malformedJson);
  }

  function firstReason(columns: RecordColumns, row: number): number {
    for (let field = 0; field < fields.length; field++) {
      let reason = reasons[field] ?? 0;
      if (reason === unseen) reason = fields[field]?.whenMissing(columns, row) ?? 0;
      if (reason !== 0) return reason;
    }
    return 0;
  }
}

/** What is JSON but no object. */
function rejectOther(cursor: ByteCursor): number {
  skipValue(cursor);
  if (skipSpace(cursor) !== 0 || cursor.position < cursor.end) fail(cursor, malformedJson);
  return cursor.fault === 0 ? otherType : cursor.fault;
}

/** Which field is named by the string from the quote at `from` to the cursor; -1: none that is projected. */
type NameFinder = (cursor: ByteCursor, from: number, escaped: boolean) => number;

function nameFinder(fields: readonly JsonField[]): NameFinder {
  const ofLength: number[][] = [];
  for (const [field, { name }] of fields.entries()) (ofLength[name.length] ??= []).push(field);
  const find = (bytes: Uint8Array, start: number, length: number): number => {
    const candidates = ofLength[length];
    if (candidates === undefined) return -1;
    for (let index = 0; index < candidates.length; index++) {
      const field = candidates[index] ?? 0;
      const name = fields[field]?.name;
      if (name !== undefined && liesAt(name, bytes, start)) return field;
    }
    return -1;
  };
  return (cursor, from, escaped) => {
    if (!escaped) return find(cursor.bytes, from + 1, cursor.position - from - 2);
    const name = cursor.fault === 0 ? unescaped(cursor.bytes, from, cursor.position) : undefined;
    return name === undefined ? -1 : find(name, 0, name.length);
  };
}
