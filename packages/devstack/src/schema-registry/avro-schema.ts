/** A parsed Avro schema; named types are shared objects, so a schema may refer to itself. */
export type AvroType =
  | { readonly kind: "primitive"; readonly name: string }
  | AvroRecord
  | AvroEnum
  | AvroFixed
  | { readonly kind: "array"; readonly items: AvroType }
  | { readonly kind: "map"; readonly values: AvroType }
  | { readonly kind: "union"; readonly branches: readonly AvroType[] };

type Named = { readonly name: string; readonly aliases: readonly string[] };
export type AvroRecord = Named & { readonly kind: "record"; readonly fields: AvroField[] };
export type AvroEnum = Named & {
  readonly kind: "enum";
  readonly symbols: readonly string[];
  /** What a reader makes of a symbol it does not know. */
  readonly fallback: string | undefined;
};
export type AvroFixed = Named & { readonly kind: "fixed"; readonly size: number };

export type AvroField = {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: AvroType;
  readonly hasDefault: boolean;
};

type Json = Readonly<Record<string, unknown>>;
type Scope = { readonly types: Map<string, AvroType>; readonly namespace: string };

const primitives = new Set([
  "null",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "string",
]);
const nameForm = /^[A-Za-z_][A-Za-z0-9_]*$/;
const fullNameForm = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/** Parses the JSON text of an Avro schema. @throws Error with the reason when it is none */
export function parseAvroSchema(text: string): AvroType {
  const json: unknown = JSON.parse(text);
  return parseType(json, { types: new Map(), namespace: "" });
}

/** One text per schema, whatever its white space and order of attributes. */
export function canonicalText(text: string): string {
  return JSON.stringify(sortKeys(JSON.parse(text)));
}

/** Name for messages and for telling the branches of a union apart. */
export function typeLabel(type: AvroType): string {
  return "name" in type ? type.name : type.kind;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sortKeys(inner)]),
  );
}

function parseType(json: unknown, scope: Scope): AvroType {
  if (typeof json === "string") return parseReference(json, scope);
  if (Array.isArray(json)) return parseUnion(json, scope);
  if (!isJsonObject(json))
    throw new Error(`a schema is a string, an object or an array, not ${JSON.stringify(json)}`);
  const { type } = json;
  switch (type) {
    case "record":
    case "error":
      return parseRecord(json, scope);
    case "enum":
      return parseEnum(json, scope);
    case "fixed":
      return parseFixed(json, scope);
    case "array":
      return { kind: "array", items: parseType(json["items"], scope) };
    case "map":
      return { kind: "map", values: parseType(json["values"], scope) };
    default:
      return parseType(type, scope);
  }
}

function parseReference(name: string, scope: Scope): AvroType {
  if (primitives.has(name)) return { kind: "primitive", name };
  const known = scope.types.get(qualify(name, scope.namespace)) ?? scope.types.get(name);
  if (known === undefined) throw new Error(`undefined type name: ${name}`);
  return known;
}

function parseUnion(json: readonly unknown[], scope: Scope): AvroType {
  const branches = json.map((branch) => parseType(branch, scope));
  const labels = branches.map(typeLabel);
  if (labels.includes("union")) throw new Error("a union may not hold a union");
  const twice = labels.find((label, at) => labels.indexOf(label) !== at);
  if (twice !== undefined) throw new Error(`duplicate in union: ${twice}`);
  return { kind: "union", branches };
}

function parseRecord(json: Json, scope: Scope): AvroRecord {
  const named = parseNames(json, scope);
  const record: AvroRecord = { kind: "record", ...named, fields: [] };
  define(scope, record);
  const inner = { types: scope.types, namespace: namespaceOf(named.name) };
  const fields = json["fields"];
  if (!Array.isArray(fields)) throw new Error(`record ${named.name} has no fields`);
  for (const field of fields) {
    const parsed = parseField(field, inner);
    if (record.fields.some(({ name }) => name === parsed.name)) {
      throw new Error(`duplicate field ${parsed.name} in record ${named.name}`);
    }
    record.fields.push(parsed);
  }
  return record;
}

function parseField(json: unknown, scope: Scope): AvroField {
  if (!isJsonObject(json)) throw new Error(`a field is an object, not ${JSON.stringify(json)}`);
  const { name, default: value } = json;
  if (typeof name !== "string" || !nameForm.test(name))
    throw new Error(`illegal field name: ${String(name)}`);
  const type = parseType(json["type"], scope);
  const hasDefault = Object.hasOwn(json, "default");
  if (hasDefault && !holds(type, value)) {
    throw new Error(
      `default ${JSON.stringify(value)} of field ${name} is not a ${typeLabel(type)}`,
    );
  }
  return { name, aliases: parseAliases(json), type, hasDefault };
}

function parseEnum(json: Json, scope: Scope): AvroEnum {
  const named = parseNames(json, scope);
  const symbols = json["symbols"];
  if (!isNames(symbols)) throw new Error(`enum ${named.name} has no proper symbols`);
  if (new Set(symbols).size !== symbols.length)
    throw new Error(`duplicate symbol in enum ${named.name}`);
  const fallback = json["default"];
  if (fallback !== undefined && !(isName(fallback) && symbols.includes(fallback))) {
    throw new Error(`default ${JSON.stringify(fallback)} is not a symbol of enum ${named.name}`);
  }
  const type: AvroEnum = {
    kind: "enum",
    ...named,
    symbols,
    fallback: typeof fallback === "string" ? fallback : undefined,
  };
  define(scope, type);
  return type;
}

function parseFixed(json: Json, scope: Scope): AvroFixed {
  const named = parseNames(json, scope);
  const { size } = json;
  if (typeof size !== "number" || !Number.isInteger(size) || size < 0) {
    throw new Error(`fixed ${named.name} has no proper size`);
  }
  const type: AvroFixed = { kind: "fixed", ...named, size };
  define(scope, type);
  return type;
}

function define(scope: Scope, type: AvroRecord | AvroEnum | AvroFixed): void {
  if (scope.types.has(type.name)) throw new Error(`can't redefine: ${type.name}`);
  scope.types.set(type.name, type);
}

function parseNames(json: Json, scope: Scope): Named {
  const { name, namespace } = json;
  if (typeof name !== "string" || !fullNameForm.test(name))
    throw new Error(`illegal name: ${String(name)}`);
  const full = qualify(name, typeof namespace === "string" ? namespace : scope.namespace);
  const aliases = parseAliases(json).map((alias) => qualify(alias, namespaceOf(full)));
  return { name: full, aliases };
}

function parseAliases(json: Json): string[] {
  const { aliases = [] } = json;
  if (Array.isArray(aliases) && aliases.every((alias) => typeof alias === "string")) return aliases;
  throw new Error("aliases is not an array of strings");
}

function qualify(name: string, namespace: string): string {
  return name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
}

function namespaceOf(fullName: string): string {
  return fullName.slice(0, Math.max(0, fullName.lastIndexOf(".")));
}

/** Is the JSON value a default for the type? */
function holds(type: AvroType, value: unknown): boolean {
  switch (type.kind) {
    case "union":
      return type.branches.some((branch) => holds(branch, value));
    case "array":
      return Array.isArray(value) && value.every((item) => holds(type.items, item));
    case "map":
      return isJsonObject(value) && Object.values(value).every((item) => holds(type.values, item));
    case "record":
      return (
        isJsonObject(value) &&
        type.fields.every((field) =>
          Object.hasOwn(value, field.name)
            ? holds(field.type, value[field.name])
            : field.hasDefault,
        )
      );
    case "enum":
      return typeof value === "string" && type.symbols.includes(value);
    case "fixed":
      return typeof value === "string" && value.length === type.size;
    default:
      return holdsPrimitive(type.name, value);
  }
}

function holdsPrimitive(name: string, value: unknown): boolean {
  switch (name) {
    case "null":
      return value === null;
    case "boolean":
      return typeof value === "boolean";
    case "int":
      return Number.isInteger(value) && Number(value) === (Number(value) | 0);
    case "long":
      return Number.isInteger(value);
    case "float":
    case "double":
      return typeof value === "number";
    default:
      return typeof value === "string";
  }
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isName);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && nameForm.test(value);
}

function isJsonObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
