import { compareValues } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { isNumber, toNumber } from "./numbers.ts";
import { parsePath, valuesAt } from "./paths.ts";
import { isDocument, type Document } from "./values.ts";

/** Compares documents by a sort specification such as `{ad_id: 1, 'window.start': -1}`. */
export function compileSort(spec: Document): (left: Document, right: Document) => number {
  const keys = Object.entries(spec).map(([name, direction]) => {
    const sign = isNumber(direction) ? toNumber(direction) : 0;
    if (sign !== 1 && sign !== -1)
      throw new CommandError(15975, `$sort key ordering must be 1 or -1: ${name}`);
    return { path: parsePath(name), sign };
  });
  return (left, right) => {
    for (const { path, sign } of keys) {
      const order = compareValues(sortValue(left, path, sign), sortValue(right, path, sign));
      if (order !== 0) return order * sign;
    }
    return 0;
  };
}

/** The documents in order; equal ones stay as they were. */
export function sortDocuments(documents: readonly Document[], spec: unknown): readonly Document[] {
  if (!isDocument(spec) || Object.keys(spec).length === 0) return documents;
  return documents.toSorted(compileSort(spec));
}

/** Arrays sort by their least element going up, by their greatest going down; an empty one before null. */
function sortValue(document: Document, path: readonly string[], sign: number): unknown {
  const found = valuesAt(document, path);
  const values = found.some(Array.isArray) ? found.flat() : found;
  let best: unknown = values[0];
  for (const value of values) if (compareValues(value, best) * sign < 0) best = value;
  return best;
}
