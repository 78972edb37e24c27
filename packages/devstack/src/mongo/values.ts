import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  deserialize,
  Double,
  EJSON,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
} from "bson";

/**
 * A document as it is stored: numbers are `Int32`, `Long`, `Double` or `Decimal128`, so each keeps the
 * type its writer gave it. Never changed after it was made; updates copy the path they change, so
 * documents, cursors and replies may share parts.
 */
export type Document = { readonly [field: string]: unknown };

/** Decodes BSON without promoting any number. @throws BSONError when the bytes are not BSON */
export function decodeDocument(bytes: Uint8Array): Document {
  const decoded = deserialize(bytes, { promoteValues: false, bsonRegExp: true });
  return isDocument(decoded) ? decoded : { ...decoded };
}

/** Encodes a document; a plain JS number becomes int when it fits, else double. */
export function encodeDocument(document: Document): Uint8Array {
  return serialize(document, { ignoreUndefined: true });
}

/** Type aliases as `$type` and MongoDB's messages spell them; `missing` is an absent field. */
export type TypeName =
  | "missing"
  | "minKey"
  | "null"
  | "int"
  | "long"
  | "double"
  | "decimal"
  | "string"
  | "symbol"
  | "object"
  | "array"
  | "binData"
  | "objectId"
  | "bool"
  | "date"
  | "timestamp"
  | "regex"
  | "javascript"
  | "maxKey";

/** Numbers `$type` accepts. */
export const typeCodes: Readonly<Record<number, TypeName>> = {
  [-1]: "minKey",
  1: "double",
  2: "string",
  3: "object",
  4: "array",
  5: "binData",
  7: "objectId",
  8: "bool",
  9: "date",
  10: "null",
  11: "regex",
  13: "javascript",
  14: "symbol",
  16: "int",
  17: "timestamp",
  18: "long",
  19: "decimal",
  127: "maxKey",
};

/** BSON type of a value. */
export function typeName(value: unknown): TypeName {
  switch (typeof value) {
    case "undefined":
      return "missing";
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "bigint":
      return "long";
    case "number":
      return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? "int" : "double";
    default:
      return value === null ? "null" : objectTypeName(value);
  }
}

function objectTypeName(value: unknown): TypeName {
  if (value instanceof Int32) return "int";
  if (value instanceof Double) return "double";
  if (value instanceof Timestamp) return "timestamp"; // before Long, which it extends
  if (value instanceof Long) return "long";
  if (value instanceof Date) return "date";
  if (Array.isArray(value)) return "array";
  if (value instanceof ObjectId) return "objectId";
  if (value instanceof Decimal128) return "decimal";
  if (value instanceof Binary || value instanceof Uint8Array) return "binData";
  if (value instanceof BSONRegExp || value instanceof RegExp) return "regex";
  if (value instanceof BSONSymbol) return "symbol";
  if (value instanceof Code) return "javascript";
  if (value instanceof MinKey) return "minKey";
  if (value instanceof MaxKey) return "maxKey";
  return "object";
}

/** Is it an embedded document, not an array and no BSON scalar? */
export function isDocument(value: unknown): value is Document {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Own field of a document: `constructor` and `__proto__` are ordinary names here. */
export function field(document: Document, name: string): unknown {
  return Object.hasOwn(document, name) ? document[name] : undefined;
}

/** Copy with the field set, at its old place or at the end; `undefined` removes it. */
export function withField(document: Document, name: string, value: unknown): Document {
  if (value === undefined) {
    return Object.fromEntries(Object.entries(document).filter(([key]) => key !== name));
  }
  const copy: Record<string, unknown> = { ...document };
  // A plain assignment to __proto__ would set the prototype instead of a field.
  if (name === "__proto__") {
    Object.defineProperty(copy, name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  } else {
    copy[name] = value;
  }
  return copy;
}

/** Does the document use `$` operators? Its first field decides, as in MongoDB. */
export function hasOperators(value: unknown): value is Document {
  if (!isDocument(value)) return false;
  const [first] = Object.keys(value);
  return first !== undefined && first.startsWith("$");
}

/** Short rendering for messages, as the mongo shell prints it. */
export function render(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === undefined || value === null) return "null";
  if (Array.isArray(value))
    return value.length === 0 ? "[]" : `[ ${value.map(render).join(", ")} ]`;
  if (value instanceof ObjectId) return `ObjectId('${value.toHexString()}')`;
  if (value instanceof Date) return `new Date(${value.getTime()})`;
  if (value instanceof Binary)
    return `BinData(${value.sub_type}, ${value.toString("hex").toUpperCase()})`;
  if (value instanceof Double)
    return Number.isInteger(value.value) ? value.value.toFixed(1) : String(value.value);
  if (typeof value === "object" && !isDocument(value))
    return EJSON.stringify(value, { relaxed: true });
  if (!isDocument(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, inner]) => `${name}: ${render(inner)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}
