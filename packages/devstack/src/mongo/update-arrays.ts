import { BSONRegExp } from "bson";
import { compareValues, equalValues } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { compileFilter } from "./filter.ts";
import { isNumber, toNumber } from "./numbers.ts";
import { compileSort } from "./sort.ts";
import type { Place } from "./update-operators.ts";
import { field, hasOperators, isDocument, render, typeName, type Document } from "./values.ts";

type Change = (old: unknown, place: Place) => unknown;

/** `$push`: one value, or `{$each, $position, $slice, $sort}`. */
export function push(operand: unknown): Change {
  const modifiers =
    isDocument(operand) && Object.hasOwn(operand, "$each") ? operand : { $each: [operand] };
  const added = arrayOf("$each", modifiers["$each"]);
  const position = wholeNumber("$position", modifiers["$position"]);
  const slice = wholeNumber("$slice", modifiers["$slice"]);
  const order = modifiers["$sort"] === undefined ? undefined : elementOrder(modifiers["$sort"]);
  return (old, place) => {
    const items = [...existing(old, place)];
    items.splice(position ?? items.length, 0, ...added);
    if (order !== undefined) items.sort(order);
    if (slice === undefined) return items;
    if (slice === 0) return [];
    return slice > 0 ? items.slice(0, slice) : items.slice(slice);
  };
}

/** `$addToSet`: appends what no element equals. */
export function addToSet(operand: unknown): Change {
  const each =
    isDocument(operand) && Object.hasOwn(operand, "$each") ? operand["$each"] : [operand];
  const added = arrayOf("$each", each);
  return (old, place) => {
    const items = [...existing(old, place)];
    for (const value of added)
      if (!items.some((item) => equalValues(item, value))) items.push(value);
    return items;
  };
}

/** `$pop`: 1 removes the last element, -1 the first. */
export function pop(operand: unknown, dotted: string): Change {
  const end = isNumber(operand) ? toNumber(operand) : 0;
  if (end !== 1 && end !== -1)
    throw new CommandError(9, `$pop expects 1 or -1, found: {${dotted}: ${render(operand)}}`);
  return (old, place) => {
    if (old === undefined) return old;
    const items = existing(old, place);
    return end === 1 ? items.slice(0, -1) : items.slice(1);
  };
}

/** `$pull`: removes elements that equal the operand or match it as a condition. */
export function pull(operand: unknown): Change {
  const unwanted = elementTest(operand);
  return (old, place) =>
    old === undefined ? old : existing(old, place).filter((element) => !unwanted(element));
}

/** `$pullAll`: removes elements equal to one of the list. */
export function pullAll(operand: unknown): Change {
  const values = arrayOf("$pullAll", operand);
  return (old, place) =>
    old === undefined
      ? old
      : existing(old, place).filter(
          (element) => !values.some((value) => equalValues(value, element)),
        );
}

function elementTest(operand: unknown): (element: unknown) => boolean {
  if (hasOperators(operand) || operand instanceof BSONRegExp) {
    const filter = compileFilter({ element: operand });
    return (element) => filter.matches({ element });
  }
  if (!isDocument(operand)) return (element) => equalValues(element, operand);
  const filter = compileFilter(operand);
  return (element) => isDocument(element) && filter.matches(element);
}

function elementOrder(spec: unknown): (left: unknown, right: unknown) => number {
  if (isNumber(spec)) return (left, right) => compareValues(left, right) * toNumber(spec);
  if (!isDocument(spec))
    throw new CommandError(2, "The $sort is invalid: use 1/-1 or a document of fields");
  const order = compileSort(spec);
  const asDocument = (value: unknown): Document => (isDocument(value) ? value : {});
  return (left, right) => order(asDocument(left), asDocument(right));
}

function existing(old: unknown, { dotted, document }: Place): readonly unknown[] {
  if (old === undefined) return [];
  if (Array.isArray(old)) return old;
  const id = render(field(document, "_id"));
  throw new CommandError(
    2,
    `The field '${dotted}' must be an array but is of type ${typeName(old)} in document {_id: ${id}}`,
  );
}

function arrayOf(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new CommandError(
    2,
    `The argument to ${name} must be an array but it was of type: ${typeName(value)}`,
  );
}

function wholeNumber(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (isNumber(value) && Number.isInteger(toNumber(value))) return toNumber(value);
  throw new CommandError(2, `The value for ${name} must be an integer but was: ${render(value)}`);
}
