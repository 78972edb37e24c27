import { aggregate } from "mingo";
import { CommandError } from "./errors.ts";
import { parsePath } from "./paths.ts";
import { toPlain, toPlainDocument, toTyped } from "./plain.ts";
import { field, isDocument, type Document } from "./values.ts";

/**
 * Value of an aggregation expression for a document, `undefined` when missing. Field paths and
 * constants keep their number types; anything computed goes through mingo.
 *
 * @throws CommandError 2 with mingo's reason
 */
export function evaluateExpression(expression: unknown, document: Document): unknown {
  if (
    typeof expression === "string" &&
    expression.startsWith("$") &&
    !expression.startsWith("$$")
  ) {
    return valueAt(document, parsePath(expression.slice(1)), 0);
  }
  if (expression === "$$ROOT" || expression === "$$CURRENT") return document;
  const computed =
    isDocument(expression) || Array.isArray(expression) || typeof expression === "string";
  return computed ? throughMingo(expression, document) : expression;
}

/** Runs stages in mingo over plain documents. Scripts (`$where`, `$function`) are off. */
export function runInMingo(
  documents: Record<string, unknown>[],
  stages: Record<string, unknown>[],
  resolve: (collection: string) => Record<string, unknown>[] = noCollections,
): Record<string, unknown>[] {
  try {
    return aggregate(documents, stages, { scriptEnabled: false, collectionResolver: resolve });
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const failure = new CommandError(2, reason);
    failure.cause = error;
    throw failure;
  }
}

function throughMingo(expression: unknown, document: Document): unknown {
  const stage = { $replaceRoot: { newRoot: { value: toPlain(expression) } } };
  const [result] = runInMingo([toPlainDocument(document)], [stage]);
  return toTyped(result?.["value"]);
}

/** An expression's path goes through arrays into an array of what it finds, never by position. */
function valueAt(value: unknown, path: readonly string[], depth: number): unknown {
  const name = path[depth];
  if (name === undefined) return value;
  if (Array.isArray(value)) {
    return value
      .map((element) => valueAt(element, path, depth))
      .filter((found) => found !== undefined);
  }
  return isDocument(value) ? valueAt(field(value, name), path, depth + 1) : undefined;
}

function noCollections(collection: string): Record<string, unknown>[] {
  throw new CommandError(238, `collection '${collection}' cannot be read from here`);
}
