import { compoundKey, equalValues } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { compileFilter } from "./filter.ts";
import { isNumber, toNumber } from "./numbers.ts";
import { parsePath, valuesAt, type Path } from "./paths.ts";
import { field, isDocument, render, type Document } from "./values.ts";

/**
 * An index. Only unique ones hold entries, to refuse duplicates; finding is by `_id` map or by scan,
 * which a development server can afford.
 */
export type Index = {
  readonly name: string;
  readonly spec: Document;
  readonly key: Document;
  readonly paths: readonly Path[];
  readonly unique: boolean;
  /** Documents whose date is older than this many seconds expire; `undefined` keeps them. */
  readonly expireAfterSeconds: number | undefined;
  /** Does the index hold this document (sparse, partial)? */
  readonly covers: (document: Document) => boolean;
  /** Key of an entry -> `_id` key of the document that holds it. */
  readonly entries: Map<string, string>;
};

/** Builds an empty index from the specification a client sent. @throws CommandError 67 */
export function compileIndex(spec: Document): Index {
  const { key, name } = spec;
  if (!isDocument(key) || Object.keys(key).length === 0) {
    throw new CommandError(67, "Index keys cannot be an empty object");
  }
  if (typeof name !== "string" || name === "")
    throw new CommandError(67, "index names must be a string");
  for (const [path, kind] of Object.entries(key)) {
    if (isNumber(kind) && toNumber(kind) !== 0) continue;
    if (kind === "hashed") continue;
    throw new CommandError(67, `index type ${render(kind)} of '${path}' is not supported`);
  }
  const paths = Object.keys(key).map(parsePath);
  const seconds = spec["expireAfterSeconds"];
  return {
    name,
    spec: { v: 2, ...spec },
    key,
    paths,
    unique: spec["unique"] === true,
    expireAfterSeconds: isNumber(seconds) ? toNumber(seconds) : undefined,
    covers: coverage(spec, paths),
    entries: new Map(),
  };
}

/** Do both say the same? Names aside. */
export function sameIndex(left: Index, right: Index): boolean {
  const withoutName = ({
    spec: { name: _name, background: _background, ...rest },
  }: Index): [string, unknown][] => Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return equalValues(withoutName(left).flat(), withoutName(right).flat());
}

/** Entry keys of a document: one per element where a field is an array, none when not covered. */
export function indexKeys(index: Index, document: Document): string[] {
  if (!index.covers(document)) return [];
  let combinations: unknown[][] = [[]];
  for (const path of index.paths) {
    const values = valuesAt(document, path).flatMap(elements);
    const choices = values.length === 0 ? [undefined] : values;
    combinations = combinations.flatMap((prefix) => choices.map((value) => [...prefix, value]));
  }
  return [...new Set(combinations.map(compoundKey))];
}

/** E11000 as MongoDB words it, with the pattern and value drivers pass on. */
export function duplicateKey(
  namespace: string,
  name: string,
  key: Document,
  document: Document,
): CommandError {
  const keyValue = Object.fromEntries(
    Object.keys(key).map((path) => [path, valuesAt(document, parsePath(path))[0] ?? null]),
  );
  return new CommandError(
    11000,
    `E11000 duplicate key error collection: ${namespace} index: ${name} dup key: ${render(keyValue)}`,
    { keyPattern: key, keyValue },
  );
}

function coverage(spec: Document, paths: readonly Path[]): (document: Document) => boolean {
  const partial = field(spec, "partialFilterExpression");
  if (isDocument(partial)) {
    const filter = compileFilter(partial);
    return (document) => filter.matches(document);
  }
  if (spec["sparse"] !== true) return () => true;
  return (document) =>
    paths.some((path) => valuesAt(document, path).some((value) => value !== undefined));
}

function elements(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) return [value];
  return value.length === 0 ? [undefined] : value;
}
