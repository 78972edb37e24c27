import { Int32, Timestamp } from "bson";
import { compareValues } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { add, isNumber, multiply } from "./numbers.ts";
import { parsePath, valuesAt, type Path } from "./paths.ts";
import { addToSet, pop, pull, pullAll, push } from "./update-arrays.ts";
import { field, isDocument, render, typeName, type Document } from "./values.ts";

/** One change of one field. */
export type Operation = {
  readonly path: Path;
  readonly creating: boolean;
  readonly onInsertOnly: boolean;
  /** New value of the field, `undefined` to remove it; `document` is the one before the update. */
  readonly change: (old: unknown, document: Document) => unknown;
};

/** Names the field and document in errors of operators on the wrong type. */
export type Place = { readonly dotted: string; readonly document: Document };

type Operator = (operand: unknown, dotted: string) => (old: unknown, place: Place) => unknown;

const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$set", (operand) => () => operand],
  ["$setOnInsert", (operand) => () => operand],
  ["$unset", () => () => undefined],
  ["$inc", (operand, dotted) => arithmetic("$inc", "increment", operand, dotted)],
  ["$mul", (operand, dotted) => arithmetic("$mul", "multiply", operand, dotted)],
  [
    "$min",
    (operand) => (old) => (old === undefined || compareValues(operand, old) < 0 ? operand : old),
  ],
  [
    "$max",
    (operand) => (old) => (old === undefined || compareValues(operand, old) > 0 ? operand : old),
  ],
  ["$push", push],
  ["$addToSet", addToSet],
  ["$pop", pop],
  ["$pull", pull],
  ["$pullAll", pullAll],
]);

/** These do nothing where the way to the field is missing; the others make it. */
const notCreating = new Set(["$unset", "$pop", "$pull", "$pullAll"]);

/** Compiles one field of one operator; `$rename` is two operations. @throws CommandError 9 when unknown */
export function compileOperation(
  operator: string,
  dotted: string,
  operand: unknown,
  nowMs: number,
): Operation[] {
  if (operator === "$rename") return rename(dotted, operand);
  const compile = operator === "$currentDate" ? currentDate(nowMs) : operators.get(operator);
  if (compile === undefined) {
    throw new CommandError(
      9,
      `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
    );
  }
  const apply = compile(operand, dotted);
  return [
    {
      path: parsePath(dotted),
      creating: !notCreating.has(operator),
      onInsertOnly: operator === "$setOnInsert",
      change: (old, document) => apply(old, { dotted, document }),
    },
  ];
}

function arithmetic(
  operator: "$inc" | "$mul",
  verb: string,
  operand: unknown,
  dotted: string,
): (old: unknown, place: Place) => unknown {
  if (!isNumber(operand)) {
    throw new CommandError(
      14,
      `Cannot ${verb} with non-numeric argument: {${dotted}: ${render(operand)}}`,
    );
  }
  return (old, { document }) => {
    if (old === undefined) return operator === "$inc" ? operand : multiply(new Int32(0), operand);
    if (isNumber(old)) return operator === "$inc" ? add(old, operand) : multiply(old, operand);
    const id = render(field(document, "_id"));
    throw new CommandError(
      14,
      `Cannot apply ${operator} to a value of non-numeric type. {_id: ${id}} has the field '${dotted}' of non-numeric type ${typeName(old)}`,
    );
  };
}

function currentDate(nowMs: number): Operator {
  return (operand) => {
    const asTimestamp = isDocument(operand) && operand["$type"] === "timestamp";
    const now = asTimestamp
      ? new Timestamp({ t: Math.floor(nowMs / 1000), i: 1 })
      : new Date(nowMs);
    return () => now;
  };
}

function rename(from: string, to: unknown): Operation[] {
  if (typeof to !== "string")
    throw new CommandError(2, `The 'to' field for $rename must be a string: ${from}`);
  const source = parsePath(from);
  const moved = (document: Document): unknown => valuesAt(document, source)[0];
  return [
    { path: source, creating: false, onInsertOnly: false, change: () => undefined },
    {
      path: parsePath(to),
      creating: true,
      onInsertOnly: false,
      change: (old, document) => moved(document) ?? old,
    },
  ];
}
