import { StreamError } from "@adstream/engine/errors";

/** A writer schema with its names resolved; named types may contain themselves. */
export type AvroType =
  | AvroPrimitive
  | { readonly kind: "fixed"; readonly sizeBytes: number }
  | { readonly kind: "enum"; readonly symbols: readonly string[] }
  | { readonly kind: "array" | "map"; readonly items: AvroType }
  | { readonly kind: "union"; readonly branches: readonly AvroType[] }
  | AvroRecord;

export type AvroPrimitive = {
  readonly kind: PrimitiveKind;
  readonly logicalType: string | undefined;
};

export type AvroRecord = {
  readonly kind: "record";
  /** With its namespace. */
  readonly name: string;
  readonly fields: readonly AvroField[];
};

export type AvroField = { readonly name: string; readonly type: AvroType };

const primitiveKinds = [
  "null",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "string",
] as const;
type PrimitiveKind = (typeof primitiveKinds)[number];

/** No registry holds larger ones, and what is parsed here comes from outside. */
const maxSchemaChars = 1024 * 1024;
const maxNesting = 64;
/** Names that mean something to JavaScript objects; a decoder further on could be led astray by them. */
const forbiddenNames: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Reads the JSON of a writer schema.
 *
 * @throws {StreamError} SCHEMA_UNREADABLE when it is no Avro schema, or has a forbidden name
 */
export function parseAvroSchema(schemaJson: string): AvroType {
  if (schemaJson.length > maxSchemaChars) {
    throw unreadable(`schema of ${schemaJson.length} characters is longer than ${maxSchemaChars}`);
  }
  const named = new Map<string, AvroType>();
  return parseType(parseJson(schemaJson), { named, namespace: "", nesting: 0 });
}

/** What surrounds a type within its schema. */
type Scope = {
  readonly named: Map<string, AvroType>;
  /** Of the closest named type around; empty at the root. */
  readonly namespace: string;
  readonly nesting: number;
};

function parseType(schema: unknown, outer: Scope): AvroType {
  const scope = { ...outer, nesting: outer.nesting + 1 };
  if (scope.nesting > maxNesting) throw unreadable(`schema nests deeper than ${maxNesting} levels`);
  if (typeof schema === "string") return parseReference(schema, undefined, scope);
  if (Array.isArray(schema)) {
    return { kind: "union", branches: schema.map((branch: unknown) => parseType(branch, scope)) };
  }
  const kind = property(schema, "type");
  switch (kind) {
    case "record":
    case "error":
      return parseRecord(schema, scope);
    case "enum": {
      const symbols = property(schema, "symbols");
      if (!Array.isArray(symbols)) throw unreadable("enum has no symbols");
      return define(
        { kind: "enum", symbols: symbols.map(String) },
        declaredName(schema, scope),
        scope,
      );
    }
    case "fixed":
      return define(
        { kind: "fixed", sizeBytes: fixedSize(schema) },
        declaredName(schema, scope),
        scope,
      );
    case "array":
      return { kind: "array", items: parseType(property(schema, "items"), scope) };
    case "map":
      return { kind: "map", items: parseType(property(schema, "values"), scope) };
    default: {
      if (typeof kind !== "string") return parseType(kind, scope);
      const logicalType = property(schema, "logicalType");
      return parseReference(kind, typeof logicalType === "string" ? logicalType : undefined, scope);
    }
  }
}

function parseReference(
  name: string,
  logicalType: string | undefined,
  { named, namespace }: Scope,
): AvroType {
  const kind = primitiveKinds.find((primitive) => primitive === name);
  if (kind !== undefined) return { kind, logicalType };
  const type = named.get(qualified(name, namespace)) ?? named.get(name);
  if (type === undefined) throw unreadable(`schema names type ${name} before it is defined`);
  return type;
}

function parseRecord(schema: unknown, scope: Scope): AvroType {
  const name = declaredName(schema, scope);
  const fields: AvroField[] = [];
  // Known by its name before its fields are read, which may refer to it.
  const record = define({ kind: "record", name, fields }, name, scope);
  const declared = property(schema, "fields");
  if (!Array.isArray(declared)) throw unreadable(`record ${name} has no fields`);
  const inner = { ...scope, namespace: name.slice(0, Math.max(0, name.lastIndexOf("."))) };
  for (const field of declared) {
    const fieldName = property(field, "name");
    if (typeof fieldName !== "string")
      throw unreadable(`record ${name} has a field without a name`);
    refuseForbidden(fieldName);
    if (fields.some((known) => known.name === fieldName)) {
      throw unreadable(`record ${name} has two fields ${fieldName}`);
    }
    fields.push({ name: fieldName, type: parseType(property(field, "type"), inner) });
  }
  return record;
}

function define(type: AvroType, name: string, { named }: Scope): AvroType {
  if (named.has(name)) throw unreadable(`schema defines type ${name} twice`);
  named.set(name, type);
  return type;
}

function declaredName(schema: unknown, scope: Scope): string {
  const name = property(schema, "name");
  if (typeof name !== "string" || name === "") throw unreadable("schema has a type without a name");
  const namespace = property(schema, "namespace");
  const full = qualified(name, typeof namespace === "string" ? namespace : scope.namespace);
  for (const part of full.split(".")) refuseForbidden(part);
  return full;
}

function qualified(name: string, namespace: string): string {
  return name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
}

function fixedSize(schema: unknown): number {
  const sizeBytes = property(schema, "size");
  if (typeof sizeBytes !== "number" || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw unreadable(`fixed has size ${String(sizeBytes)}`);
  }
  return sizeBytes;
}

/** Own properties only. */
function property(schema: unknown, name: string): unknown {
  if (typeof schema !== "object" || schema === null) {
    throw unreadable(`schema has ${String(schema)} where a type is due`);
  }
  return Object.getOwnPropertyDescriptor(schema, name)?.value;
}

function refuseForbidden(name: string): void {
  if (forbiddenNames.has(name)) throw unreadable(`schema uses the forbidden name ${name}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StreamError("SCHEMA_UNREADABLE", "dead-letter", "schema is not JSON", { cause });
  }
}

function unreadable(message: string): StreamError {
  return new StreamError("SCHEMA_UNREADABLE", "dead-letter", message);
}
