import { rejectCode, type RecordColumns } from "@adstream/engine/columns";

import type { FieldUse } from "./field-use.ts";
import { readLength, readVarlong } from "./byte-cursor.ts";
import type { CategoryProjection } from "./event-projection.ts";
import type { ColumnReader } from "./value-rows.ts";

/** Why a field that must hold one of a few texts holds none of them. */
export const notDeclared: number = rejectCode("value not among those declared");

/** @param firstColumn of the counted values, which lie side by side */
export function categoryUse(category: CategoryProjection, firstColumn: number): FieldUse {
  const texts = allowedTexts(category);
  return {
    due: "a string, bytes or an enum",
    readerOf(type) {
      if (type.kind === "enum") return { row: readSymbol(type.symbols, category, firstColumn) };
      if (type.kind !== "string" && type.kind !== "bytes") return undefined;
      return {
        row(cursor, columns, row) {
          const length = readLength(cursor);
          const start = cursor.position;
          cursor.position += length;
          const value = findText(texts, cursor.bytes, start, length);
          return value < 0 ? notDeclared : countText(category, firstColumn, columns, row, value);
        },
      };
    },
    whenNull: () => notDeclared,
    whenMissing: undefined,
  };
}

/** The texts that are counted, in the order of their columns, then the others that are allowed. */
export function allowedTexts({ allowed, counted }: CategoryProjection): readonly Uint8Array[] {
  const others = allowed.filter((text) => !counted.includes(text));
  return [...counted, ...others].map((text) => Buffer.from(text));
}

/** Which of `texts` lies in `bytes[start, start + length)`; -1: none. */
export function findText(
  texts: readonly Uint8Array[],
  bytes: Uint8Array,
  start: number,
  length: number,
): number {
  for (let index = 0; index < texts.length; index++) {
    const text = texts[index];
    if (text !== undefined && text.length === length && liesAt(text, bytes, start)) return index;
  }
  return -1;
}

/** Whether `bytes` go on with `text` from `start`. */
export function liesAt(text: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text[index] !== bytes[start + index]) return false;
  }
  return true;
}

/** 1 in the column of the counted text `value`, 0 in those of the others. */
export function countText(
  { counted }: CategoryProjection,
  firstColumn: number,
  columns: RecordColumns,
  row: number,
  value: number,
): 0 {
  for (let index = 0; index < counted.length; index++) {
    const column = columns.values[firstColumn + index];
    if (column !== undefined) column[row] = index === value ? 1 : 0;
  }
  return 0;
}

function readSymbol(
  symbols: readonly string[],
  category: CategoryProjection,
  firstColumn: number,
): ColumnReader {
  const texts = allowedTexts(category);
  const values = symbols.map((symbol) => {
    const bytes = Buffer.from(symbol);
    return findText(texts, bytes, 0, bytes.length);
  });
  return (cursor, columns, row) => {
    const value = values[readVarlong(cursor)] ?? -1;
    return value < 0 ? notDeclared : countText(category, firstColumn, columns, row, value);
  };
}
