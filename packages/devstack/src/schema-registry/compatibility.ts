import { typeLabel, type AvroEnum, type AvroRecord, type AvroType } from "./avro-schema.ts";

/** Confluent's levels. */
export const compatibilityLevels = [
  "NONE",
  "BACKWARD",
  "BACKWARD_TRANSITIVE",
  "FORWARD",
  "FORWARD_TRANSITIVE",
  "FULL",
  "FULL_TRANSITIVE",
] as const;

export type CompatibilityLevel = (typeof compatibilityLevels)[number];

/** Is it the name of a level? */
export function isCompatibilityLevel(value: unknown): value is CompatibilityLevel {
  const names: readonly unknown[] = compatibilityLevels;
  return names.includes(value);
}

/**
 * Why a new schema may not follow the earlier ones (oldest first) under a level; empty when it may.
 * BACKWARD: who has the new schema reads what the earlier wrote. FORWARD: the other way round.
 */
export function incompatibilities(
  next: AvroType,
  earlier: readonly AvroType[],
  level: CompatibilityLevel,
): string[] {
  const compared = level.endsWith("_TRANSITIVE") ? earlier.toReversed() : earlier.slice(-1);
  const backward = level.startsWith("BACKWARD") || level.startsWith("FULL");
  const forward = level.startsWith("FORWARD") || level.startsWith("FULL");
  return compared.flatMap((previous) => [
    ...(backward
      ? readProblems(next, previous).map((problem) => `new schema cannot read old data: ${problem}`)
      : []),
    ...(forward
      ? readProblems(previous, next).map((problem) => `old schema cannot read new data: ${problem}`)
      : []),
  ]);
}

/** Why a reader's schema cannot resolve a writer's (Avro 1.12, "Schema Resolution"); empty when it can. */
export function readProblems(reader: AvroType, writer: AvroType): string[] {
  return resolve(reader, writer, "/", new Map());
}

/** Pairs already looked at: a schema that refers to itself must not be followed for ever. */
type Seen = Map<AvroType, Set<AvroType>>;

const promotions: Readonly<Record<string, readonly string[]>> = {
  int: ["long", "float", "double"],
  long: ["float", "double"],
  float: ["double"],
  string: ["bytes"],
  bytes: ["string"],
};

function resolve(reader: AvroType, writer: AvroType, path: string, seen: Seen): string[] {
  if (writer.kind === "union") {
    return writer.branches.flatMap((branch, at) => resolve(reader, branch, `${path}${at}/`, seen));
  }
  if (reader.kind === "union") return resolveUnion(reader.branches, writer, path, seen);
  if (reader.kind === "primitive" && writer.kind === "primitive") {
    const readable =
      reader.name === writer.name || promotions[writer.name]?.includes(reader.name) === true;
    return readable ? [] : [mismatch(reader, writer, path)];
  }
  if (reader.kind === "array" && writer.kind === "array") {
    return resolve(reader.items, writer.items, `${path}items/`, seen);
  }
  if (reader.kind === "map" && writer.kind === "map") {
    return resolve(reader.values, writer.values, `${path}values/`, seen);
  }
  return resolveNamed(reader, writer, path, seen);
}

function resolveUnion(
  branches: readonly AvroType[],
  writer: AvroType,
  path: string,
  seen: Seen,
): string[] {
  const attempts = branches.map((branch) => resolve(branch, writer, path, new Map(seen)));
  if (attempts.some((problems) => problems.length === 0)) return [];
  const labels = branches.map(typeLabel).join(", ");
  return [`${path}: reader union [${labels}] has no branch for ${typeLabel(writer)}`];
}

function resolveNamed(reader: AvroType, writer: AvroType, path: string, seen: Seen): string[] {
  if (reader.kind === "record" && writer.kind === "record")
    return resolveRecord(reader, writer, path, seen);
  if (reader.kind === "enum" && writer.kind === "enum") {
    return nameProblems(reader, writer, path) ?? resolveEnum(reader, writer, path);
  }
  if (reader.kind === "fixed" && writer.kind === "fixed") {
    const problems = nameProblems(reader, writer, path);
    if (problems !== undefined) return problems;
    const sizes = `${path}: fixed ${reader.name} has ${reader.size} bytes in the reader, ${writer.size} in the writer`;
    return reader.size === writer.size ? [] : [sizes];
  }
  return [mismatch(reader, writer, path)];
}

function resolveRecord(reader: AvroRecord, writer: AvroRecord, path: string, seen: Seen): string[] {
  const writers = seen.get(reader) ?? new Set();
  if (writers.has(writer)) return [];
  seen.set(reader, new Set([...writers, writer]));
  const problems = nameProblems(reader, writer, path);
  if (problems !== undefined) return problems;
  return reader.fields.flatMap((field) => {
    const names = new Set([field.name, ...field.aliases]);
    const written = writer.fields.find(({ name }) => names.has(name));
    if (written !== undefined)
      return resolve(field.type, written.type, `${path}${field.name}/`, seen);
    if (field.hasDefault) return [];
    return [
      `${path}${field.name}: the reader's field '${field.name}' has no default and is missing in the writer`,
    ];
  });
}

function resolveEnum(reader: AvroEnum, writer: AvroEnum, path: string): string[] {
  if (reader.fallback !== undefined) return [];
  const missing = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
  return missing.length === 0
    ? []
    : [`${path}: reader enum ${reader.name} lacks symbols ${missing.join(", ")}`];
}

type NamedType = { readonly name: string; readonly aliases: readonly string[] };

function nameProblems(reader: NamedType, writer: NamedType, path: string): string[] | undefined {
  if (reader.name === writer.name || reader.aliases.includes(writer.name)) return undefined;
  return [`${path}: reader expects ${reader.name}, writer has ${writer.name}`];
}

function mismatch(reader: AvroType, writer: AvroType, path: string): string {
  return `${path}: reader type ${typeLabel(reader)} cannot read writer type ${typeLabel(writer)}`;
}
