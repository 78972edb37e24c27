import { Double, Int32, Long } from "bson";
import { isNumber, unwrap } from "./numbers.ts";
import { isDocument, withField, type Document } from "./values.ts";

/**
 * A value as mingo wants it: plain numbers instead of typed ones. A long that a number would round
 * becomes a bigint, which mingo carries along and refuses to calculate with; decimals stay opaque.
 */
export function toPlain(value: unknown): unknown {
  if (isNumber(value)) return unwrap(value);
  if (Array.isArray(value)) return value.map(toPlain);
  return isDocument(value) ? toPlainDocument(value) : value;
}

/** A document as mingo wants it, nothing shared with the original but scalars. */
export function toPlainDocument(document: Document): Record<string, unknown> {
  return mapFields(document, toPlain);
}

/**
 * A result of mingo with typed numbers again. A number that equals the one at the same place of
 * `origin` keeps that one's type; others become int, long or double by their value, so an integral
 * double that mingo moved or computed comes out as an integer.
 */
export function toTyped(value: unknown, origin?: unknown): unknown {
  if (typeof value === "number" || typeof value === "bigint") {
    return isNumber(origin) && Object.is(unwrap(origin), value) ? origin : typed(value);
  }
  if (Array.isArray(value)) {
    const origins: readonly unknown[] = Array.isArray(origin) ? origin : [];
    return value.map((item, at) => toTyped(item, origins[at]));
  }
  if (!isDocument(value)) return value;
  return toTypedDocument(value, isDocument(origin) ? origin : {});
}

/** `toTyped` for a document. */
export function toTypedDocument(document: Document, origin: Document = {}): Document {
  return mapFields(document, (value, name) =>
    toTyped(value, Object.hasOwn(origin, name) ? origin[name] : undefined),
  );
}

function mapFields(
  document: Document,
  change: (value: unknown, name: string) => unknown,
): Record<string, unknown> {
  let copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(document)) {
    if (value === undefined) continue;
    if (name === "__proto__") copy = { ...withField(copy, name, change(value, name)) };
    else copy[name] = change(value, name);
  }
  return copy;
}

function typed(value: number | bigint): Int32 | Long | Double {
  if (typeof value === "bigint") return Long.fromBigInt(value);
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return new Double(value);
  return Math.abs(value) < 2 ** 31 ? new Int32(value) : Long.fromNumber(value);
}
