import { CommandError } from "./errors.ts";
import { isNumber, toNumber } from "./numbers.ts";
import { field, isDocument, typeName, type Document } from "./values.ts";

/** A string argument of a command. @throws CommandError 14 when it is of another type */
export function textArgument(command: Document, name: string): string {
  const value = field(command, name);
  if (typeof value === "string") return value;
  throw mistyped(name, value, "string");
}

/** A document argument, empty when absent. @throws CommandError 14 when it is of another type */
export function documentArgument(command: Document, name: string): Document {
  const value = field(command, name);
  if (value === undefined || value === null) return {};
  if (isDocument(value)) return value;
  throw mistyped(name, value, "object");
}

/** An array argument, empty when absent. @throws CommandError 14 when it is of another type */
export function arrayArgument(command: Document, name: string): readonly unknown[] {
  const value = field(command, name);
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw mistyped(name, value, "array");
}

/** An array of documents, empty when absent. @throws CommandError 14 when an entry is none */
export function documentsArgument(command: Document, name: string): Document[] {
  return arrayArgument(command, name).map((value) => {
    if (isDocument(value)) return value;
    throw mistyped(name, value, "object");
  });
}

/** A whole number of at least 0, `undefined` when absent. @throws CommandError 2 or 14 */
export function countArgument(command: Document, name: string): number | undefined {
  const value = field(command, name);
  if (value === undefined || value === null) return undefined;
  if (!isNumber(value)) throw mistyped(name, value, "number");
  const count = toNumber(value);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new CommandError(2, `BSON field '${name}' value must be >= 0, actual value '${count}'`);
}

/** A switch: true, or a number that is not 0. */
export function flagArgument(command: Document, name: string, whenAbsent = false): boolean {
  const value = field(command, name);
  if (value === undefined || value === null) return whenAbsent;
  return isNumber(value) ? toNumber(value) !== 0 : value === true;
}

function mistyped(name: string, value: unknown, expected: string): CommandError {
  return new CommandError(
    14,
    `BSON field '${name}' is the wrong type '${typeName(value)}', expected type '${expected}'`,
  );
}
