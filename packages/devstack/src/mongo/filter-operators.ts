import { BSONRegExp, Double } from "bson";
import { compareValues, equalValues, typeRank, valueKey } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { regexPredicate } from "./filter-regex.ts";
import { isNumber, toNumber } from "./numbers.ts";
import { hasOperators, isDocument, typeCodes, typeName, type Document } from "./values.ts";

/** A test of one thing. */
export type Predicate<T> = (value: T) => boolean;

/** Compiles a query, for `$elemMatch` on documents. */
export type CompileQuery = (query: Document) => Predicate<Document>;

/** Compiles `{$gt: 1, $lt: 5}`; the result takes all values found at the path. */
export function compileOperators(
  condition: Document,
  compileQuery: CompileQuery,
): Predicate<unknown[]> {
  const tests = Object.keys(condition)
    .filter((name) => name !== "$options")
    .map((name) => compileOperator(name, condition, compileQuery));
  return (values) => tests.every((holds) => holds(values));
}

function compileOperator(
  name: string,
  condition: Document,
  compileQuery: CompileQuery,
): Predicate<unknown[]> {
  const operand = condition[name];
  switch (name) {
    case "$eq":
      return any((value) => equalValues(value, operand));
    case "$ne":
      return not(any((value) => equalValues(value, operand)));
    case "$gt":
      return any(comparison(operand, (order) => order > 0, false));
    case "$gte":
      return any(comparison(operand, (order) => order >= 0, true));
    case "$lt":
      return any(comparison(operand, (order) => order < 0, false));
    case "$lte":
      return any(comparison(operand, (order) => order <= 0, true));
    case "$in":
      return any(oneOf(name, operand));
    case "$nin":
      return not(any(oneOf(name, operand)));
    case "$exists":
      return operand === false || equalValues(operand, 0)
        ? (values) => values.every((value) => value === undefined)
        : (values) => values.some((value) => value !== undefined);
    case "$regex":
      return any(regexPredicate(regexOf(operand, condition["$options"])));
    case "$not":
      return negated(operand, compileQuery);
    case "$all":
      return all(operand, compileQuery);
    case "$elemMatch":
      return elemMatch(operand, compileQuery);
    case "$size":
      return size(operand);
    case "$type":
      return type(operand);
    case "$mod":
      return modulo(operand);
    default:
      throw new CommandError(2, `unknown operator: ${name}`);
  }
}

function any(holds: Predicate<unknown>): Predicate<unknown[]> {
  return (values) =>
    values.some((value) => holds(value) || (Array.isArray(value) && value.some(holds)));
}

function not(holds: Predicate<unknown[]>): Predicate<unknown[]> {
  return (values) => !holds(values);
}

/** Compares within one type only; MinKey and MaxKey compare with everything; NaN only equals NaN. */
function comparison(
  operand: unknown,
  wanted: Predicate<number>,
  orEqual: boolean,
): Predicate<unknown> {
  const rank = typeRank(operand);
  const anyType = typeName(operand) === "minKey" || typeName(operand) === "maxKey";
  const operandIsNaN = isNaNNumber(operand);
  return (value) => {
    if (!anyType && typeRank(value) !== rank) return false;
    if (operandIsNaN || isNaNNumber(value)) return orEqual && operandIsNaN && isNaNNumber(value);
    return wanted(compareValues(value, operand));
  };
}

function isNaNNumber(value: unknown): boolean {
  return value instanceof Double
    ? Number.isNaN(value.value)
    : isNumber(value) && Number.isNaN(toNumber(value));
}

function oneOf(name: string, operand: unknown): Predicate<unknown> {
  const choices = arrayOperand(name, operand);
  const patterns = choices.filter((choice) => choice instanceof BSONRegExp).map(regexPredicate);
  const keys = new Set(choices.filter((choice) => !(choice instanceof BSONRegExp)).map(valueKey));
  return (value) => keys.has(valueKey(value)) || patterns.some((holds) => holds(value));
}

function regexOf(operand: unknown, options: unknown): BSONRegExp {
  const flags = typeof options === "string" ? options : undefined;
  if (operand instanceof BSONRegExp)
    return new BSONRegExp(operand.pattern, flags ?? operand.options);
  if (typeof operand === "string") return new BSONRegExp(operand, flags ?? "");
  throw new CommandError(2, "$regex has to be a string");
}

function negated(operand: unknown, compileQuery: CompileQuery): Predicate<unknown[]> {
  if (operand instanceof BSONRegExp) return not(any(regexPredicate(operand)));
  if (!hasOperators(operand)) throw new CommandError(2, "$not needs a regex or a document");
  return not(compileOperators(operand, compileQuery));
}

function all(operand: unknown, compileQuery: CompileQuery): Predicate<unknown[]> {
  const tests = arrayOperand("$all", operand).map((wanted) => {
    if (wanted instanceof BSONRegExp) return any(regexPredicate(wanted));
    if (hasOperators(wanted)) return compileOperators(wanted, compileQuery);
    return any((value) => equalValues(value, wanted));
  });
  return (values) => tests.length > 0 && tests.every((holds) => holds(values));
}

function elemMatch(operand: unknown, compileQuery: CompileQuery): Predicate<unknown[]> {
  if (!isDocument(operand)) throw new CommandError(2, "$elemMatch needs an Object");
  const holds = elementTest(operand, compileQuery);
  return (values) => values.some((value) => Array.isArray(value) && value.some(holds));
}

/** `{$gt: 1}` tests elements themselves, `{a: 1}` or `{$or: [...]}` tests them as documents. */
function elementTest(operand: Document, compileQuery: CompileQuery): Predicate<unknown> {
  const [first = ""] = Object.keys(operand);
  if (hasOperators(operand) && !["$and", "$or", "$nor", "$expr"].includes(first)) {
    const ofValues = compileOperators(operand, compileQuery);
    return (element) => ofValues([element]);
  }
  const matches = compileQuery(operand);
  return (element) => isDocument(element) && matches(element);
}

function size(operand: unknown): Predicate<unknown[]> {
  if (!isNumber(operand) || !Number.isInteger(toNumber(operand))) {
    throw new CommandError(2, "$size must be a whole number");
  }
  const length = toNumber(operand);
  return (values) => values.some((value) => Array.isArray(value) && value.length === length);
}

function type(operand: unknown): Predicate<unknown[]> {
  const wanted = new Set((Array.isArray(operand) ? operand : [operand]).flatMap(typeAliases));
  const holds = (value: unknown): boolean => wanted.has(typeName(value));
  return any(holds);
}

function typeAliases(operand: unknown): string[] {
  if (operand === "number") return ["int", "long", "double", "decimal"];
  const alias = isNumber(operand) ? typeCodes[toNumber(operand)] : operand;
  const known: readonly unknown[] = Object.values(typeCodes);
  if (typeof alias !== "string" || !known.includes(alias)) {
    throw new CommandError(2, `Unknown type name alias: ${String(operand)}`);
  }
  return [alias];
}

function modulo(operand: unknown): Predicate<unknown[]> {
  const [divisor, remainder] = arrayOperand("$mod", operand);
  if (!isNumber(divisor) || !isNumber(remainder))
    throw new CommandError(2, "malformed mod, needs two numbers");
  const by = Math.trunc(toNumber(divisor));
  if (by === 0) throw new CommandError(2, "divisor cannot be 0");
  const rest = Math.trunc(toNumber(remainder));
  return any((value) => isNumber(value) && Math.trunc(toNumber(value)) % by === rest);
}

function arrayOperand(name: string, operand: unknown): readonly unknown[] {
  if (Array.isArray(operand)) return operand;
  throw new CommandError(2, `${name} needs an array`);
}
