import { Double, Int32 } from "bson";
import { compareValues, equalValues, valueKey } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { evaluateExpression } from "./expression.ts";
import { add, isNumber, toNumber, type BsonNumber } from "./numbers.ts";
import { hasOperators, isDocument, type Document } from "./values.ts";

type Group = (documents: readonly Document[]) => readonly Document[];

/** Folds the values of one group, in order; a missing value is `undefined`. */
type Accumulate = (values: readonly unknown[]) => unknown;

const accumulators: ReadonlyMap<string, Accumulate> = new Map<string, Accumulate>([
  ["$sum", sum],
  ["$avg", average],
  ["$min", (values) => extreme(values, -1)],
  ["$max", (values) => extreme(values, 1)],
  ["$first", (values) => values[0] ?? null],
  ["$last", (values) => values.at(-1) ?? null],
  ["$push", (values) => values.filter((value) => value !== undefined)],
  ["$addToSet", distinctValues],
  ["$count", (values) => new Int32(values.length)],
]);

/** Compiles `$group`: sums and extremes keep MongoDB's number types. */
export function compileGroup(spec: unknown): Group {
  if (!isDocument(spec) || !Object.hasOwn(spec, "_id")) {
    throw new CommandError(15955, "a group specification must include an _id");
  }
  const { _id: id, ...rest } = spec;
  const fields = Object.entries(rest).map(([name, operand]) => ({
    name,
    ...accumulator(name, operand),
  }));
  return (documents) => {
    const groups = new Map<string, { id: unknown; documents: Document[] }>();
    for (const document of documents) {
      const value = groupId(id, document);
      const key = valueKey(value);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { id: value, documents: [document] });
      else group.documents.push(document);
    }
    return [...groups.values()].map((group) => {
      const results = fields.map(({ name, expression, accumulate }) => {
        const values = group.documents.map((document) => evaluateExpression(expression, document));
        return [name, accumulate(values)];
      });
      return { _id: group.id, ...Object.fromEntries(results) };
    });
  };
}

/** Values that differ, in order of their first appearance. */
export function distinctValues(values: readonly unknown[]): unknown[] {
  const byKey = new Map<string, unknown>();
  for (const value of values) {
    const key = valueKey(value);
    if (value !== undefined && !byKey.has(key)) byKey.set(key, value);
  }
  return [...byKey.values()];
}

function accumulator(
  name: string,
  operand: unknown,
): { expression: unknown; accumulate: Accumulate } {
  const [entry, ...others] = isDocument(operand) ? Object.entries(operand) : [];
  if (entry === undefined || others.length > 0) {
    throw new CommandError(40234, `The field '${name}' must be an accumulator object`);
  }
  const accumulate = accumulators.get(entry[0]);
  if (accumulate === undefined)
    throw new CommandError(15952, `unknown group operator '${entry[0]}'`);
  return { expression: entry[1], accumulate };
}

/** A document of expressions makes a document; its paths keep their types. */
function groupId(expression: unknown, document: Document): unknown {
  if (!isDocument(expression) || hasOperators(expression)) {
    return evaluateExpression(expression, document) ?? null;
  }
  const parts = Object.entries(expression).map(([name, part]) => [name, groupId(part, document)]);
  return Object.fromEntries(parts);
}

function sum(values: readonly unknown[]): BsonNumber {
  return values.filter(isNumber).reduce(add, new Int32(0));
}

function average(values: readonly unknown[]): unknown {
  const numbers = values.filter(isNumber);
  return numbers.length === 0 ? null : new Double(toNumber(sum(numbers)) / numbers.length);
}

function extreme(values: readonly unknown[], sign: 1 | -1): unknown {
  const present = values.filter((value) => value !== undefined && !equalValues(value, null));
  let best: unknown = present[0] ?? null;
  for (const value of present) if (compareValues(value, best) * sign > 0) best = value;
  return best;
}
