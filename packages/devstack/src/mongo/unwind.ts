import { Long } from "bson";
import { CommandError } from "./errors.ts";
import { changeAt, parsePath, valuesAt } from "./paths.ts";
import { isDocument, render, withField, type Document } from "./values.ts";

/** `$unwind`: a document per element of an array; a path or `{path, includeArrayIndex, preserveNullAndEmptyArrays}`. */
export function unwind(documents: readonly Document[], operand: unknown): Document[] {
  const options: Document = isDocument(operand) ? operand : { path: operand };
  const { path: dotted, includeArrayIndex: indexField } = options;
  if (typeof dotted !== "string" || !dotted.startsWith("$")) {
    throw new CommandError(
      28818,
      `path option to $unwind stage should be prefixed with a '$': ${render(dotted)}`,
    );
  }
  const path = parsePath(dotted.slice(1));
  const keepEmpty = options["preserveNullAndEmptyArrays"] === true;
  const replace = (document: Document, value: unknown): Document => {
    const walk = { path, creating: false, change: () => value, elementFilters: new Map() };
    const changed = changeAt(document, walk);
    return isDocument(changed) ? changed : document;
  };
  const numbered = (document: Document, at: Long | null): Document =>
    typeof indexField === "string" ? withField(document, indexField, at) : document;
  return documents.flatMap((document) => {
    const [value] = valuesAt(document, path);
    if (Array.isArray(value) && value.length > 0) {
      return value.map((element, at) => numbered(replace(document, element), Long.fromNumber(at)));
    }
    const empty = value === undefined || value === null || Array.isArray(value);
    if (empty && !keepEmpty) return [];
    return [numbered(Array.isArray(value) ? replace(document, undefined) : document, null)];
  });
}
