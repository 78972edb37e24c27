import { BSONRegExp } from "bson";
import { equalValues, valueKey } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { evaluateExpression } from "./expression.ts";
import { compileOperators, type Predicate } from "./filter-operators.ts";
import { regexPredicate } from "./filter-regex.ts";
import { parsePath, valuesAt } from "./paths.ts";
import { hasOperators, isDocument, type Document } from "./values.ts";

/** A compiled filter. */
export type Filter = {
  matches(document: Document): boolean;
  /** When the filter pins `_id` to some values: their keys, so nothing else needs to be looked at. */
  readonly idKeys: readonly string[] | undefined;
};

/** Compiles a query document. @throws CommandError 2 for an operator that is not supported */
export function compileFilter(query: Document): Filter {
  return { matches: compileQuery(query), idKeys: pinnedIds(query) };
}

/** Compiles the filter of one `$[name]`: its fields are spelled `name` or `name.path`. */
export function compileElementFilter(query: Document): [string, (element: unknown) => boolean] {
  const [first = ""] = Object.keys(query);
  const [name = ""] = first.split(".");
  const matches = compileQuery(query);
  return [name, (element) => matches({ [name]: element })];
}

/** What a filter says a new document must hold: its equalities, as `[dotted path, value]`. */
export function equalities(query: Document): [string, unknown][] {
  const found: [string, unknown][] = [];
  for (const [name, condition] of Object.entries(query)) {
    if (name === "$and" && Array.isArray(condition)) {
      for (const part of condition) if (isDocument(part)) found.push(...equalities(part));
    } else if (!name.startsWith("$")) {
      const value = equality(condition);
      if (value !== undefined) found.push([name, value]);
    }
  }
  return found;
}

function compileQuery(query: Document): Predicate<Document> {
  const conditions = Object.entries(query).map(([name, condition]) =>
    name.startsWith("$") ? compileLogic(name, condition) : compileField(name, condition),
  );
  const [only] = conditions;
  if (conditions.length === 1 && only !== undefined) return only;
  return (document) => conditions.every((holds) => holds(document));
}

function compileLogic(name: string, operand: unknown): Predicate<Document> {
  switch (name) {
    case "$and": {
      const parts = compileBranches(name, operand);
      return (document) => parts.every((holds) => holds(document));
    }
    case "$or": {
      const parts = compileBranches(name, operand);
      return (document) => parts.some((holds) => holds(document));
    }
    case "$nor": {
      const parts = compileBranches(name, operand);
      return (document) => !parts.some((holds) => holds(document));
    }
    case "$expr":
      return (document) => isTruthy(evaluateExpression(operand, document));
    case "$comment":
      return () => true;
    default:
      throw new CommandError(2, `unknown top level operator: ${name}`);
  }
}

function compileBranches(name: string, operand: unknown): Predicate<Document>[] {
  if (!Array.isArray(operand) || operand.length === 0) {
    throw new CommandError(2, `${name} must be a nonempty array`);
  }
  return operand.map((part: unknown) => {
    if (!isDocument(part)) throw new CommandError(2, `${name} entries need to be full objects`);
    return compileQuery(part);
  });
}

function compileField(name: string, condition: unknown): Predicate<Document> {
  const path = parsePath(name);
  const holds = compileCondition(condition);
  return (document) => holds(valuesAt(document, path));
}

/** A condition on the values found at one path. */
function compileCondition(condition: unknown): Predicate<unknown[]> {
  if (condition instanceof BSONRegExp) return anyValue(regexPredicate(condition));
  if (hasOperators(condition)) return compileOperators(condition, compileQuery);
  return anyValue((value) => equalValues(value, condition));
}

/** Holds when it does for a value itself or for an element of it. */
function anyValue(holds: Predicate<unknown>): Predicate<unknown[]> {
  return (values) =>
    values.some((value) => holds(value) || (Array.isArray(value) && value.some(holds)));
}

function isTruthy(value: unknown): boolean {
  return value !== null && value !== undefined && value !== false && !equalValues(value, 0);
}

function pinnedIds(query: Document): readonly string[] | undefined {
  for (const [name, condition] of Object.entries(query)) {
    if (name === "_id") {
      const values = pinnedValues(condition);
      // Regular expressions match by pattern, arrays by element: only plain values can be looked up.
      if (
        values?.every((value) => !(value instanceof BSONRegExp) && !Array.isArray(value)) === true
      ) {
        return [...new Set(values.map(valueKey))];
      }
    }
    if (name === "$and" && Array.isArray(condition)) {
      for (const part of condition) {
        const keys = isDocument(part) ? pinnedIds(part) : undefined;
        if (keys !== undefined) return keys;
      }
    }
  }
  return undefined;
}

function pinnedValues(condition: unknown): readonly unknown[] | undefined {
  if (hasOperators(condition) && Array.isArray(condition["$in"])) return condition["$in"];
  const value = equality(condition);
  return value === undefined ? undefined : [value];
}

function equality(condition: unknown): unknown {
  if (condition instanceof BSONRegExp) return undefined;
  return hasOperators(condition) ? condition["$eq"] : condition;
}
