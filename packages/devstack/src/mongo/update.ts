import { ObjectId } from "bson";
import { identicalValues } from "./compare.ts";
import { CommandError } from "./errors.ts";
import { compileElementFilter, equalities } from "./filter.ts";
import { changeAt, parsePath, type Path } from "./paths.ts";
import { runInMingo } from "./expression.ts";
import { toPlainDocument, toTypedDocument } from "./plain.ts";
import { compileOperation, type Operation } from "./update-operators.ts";
import { field, hasOperators, isDocument, typeName, type Document } from "./values.ts";

/** A compiled update. Both return a new document, or the one they got when nothing changes. */
export type Update = {
  readonly kind: "operators" | "replacement" | "pipeline";
  /** @throws CommandError 66 when `_id` would change */
  apply(document: Document): Document;
  /** The document an upsert inserts. */
  create(query: Document): Document;
};

/** What an update may depend on besides the document. */
export type UpdateOptions = {
  readonly arrayFilters: readonly Document[];
  readonly nowMs: number;
};

/** Compiles the `u` of an update: operators, a replacement or a pipeline. */
export function compileUpdate(update: unknown, options: UpdateOptions): Update {
  if (Array.isArray(update)) return pipelineUpdate(update);
  if (!isDocument(update)) throw new CommandError(9, "an update must be a document or an array");
  return hasOperators(update) ? operatorUpdate(update, options) : replacement(update);
}

function operatorUpdate(update: Document, options: UpdateOptions): Update {
  const operations = Object.entries(update).flatMap(([operator, fields]) => {
    if (!operator.startsWith("$"))
      throw new CommandError(9, `The dollar ($) prefix is missing on '${operator}'`);
    if (!isDocument(fields)) {
      throw new CommandError(
        9,
        `Modifiers operate on fields but we found type ${typeName(fields)} instead`,
      );
    }
    return Object.entries(fields).flatMap(([path, operand]) =>
      compileOperation(operator, path, operand, options.nowMs),
    );
  });
  refuseConflicts(operations);
  // MongoDB goes through the fields by name: that is the order in which new ones are appended.
  const ordered = operations.toSorted((a, b) => comparePaths(a.path, b.path));
  const elementFilters = new Map(options.arrayFilters.map(compileElementFilter));
  const run = (document: Document, wanted: readonly Operation[]): Document => {
    let current: unknown = document;
    for (const { path, creating, change } of wanted) {
      const bound = (old: unknown): unknown => keepIdentical(old, change(old, document));
      current = changeAt(current, { path, creating, change: bound, elementFilters });
    }
    return isDocument(current) ? current : document;
  };
  const always = ordered.filter(({ onInsertOnly }) => !onInsertOnly);
  return {
    kind: "operators",
    apply: (document) => withSameId(document, run(document, always)),
    create: (query) => withId(run(fromEqualities(query), ordered)),
  };
}

function replacement(update: Document): Update {
  const dollar = Object.keys(update).find((name) => name.startsWith("$"));
  if (dollar !== undefined) {
    throw new CommandError(
      52,
      `The dollar ($) prefixed field '${dollar}' is not allowed in a replacement`,
    );
  }
  const replace = (old: Document): Document => {
    const id = field(update, "_id") ?? field(old, "_id");
    const next = id === undefined ? update : { _id: id, ...update };
    return identicalValues(old, next) ? old : next;
  };
  return {
    kind: "replacement",
    apply: (document) => withSameId(document, replace(document)),
    create: (query) => withId(replace(idOf(fromEqualities(query)))),
  };
}

const pipelineStages = new Set([
  "$set",
  "$addFields",
  "$unset",
  "$project",
  "$replaceRoot",
  "$replaceWith",
]);

function pipelineUpdate(stages: readonly unknown[]): Update {
  const plain = stages.map((stage) => {
    const [name = ""] = isDocument(stage) ? Object.keys(stage) : [];
    if (!isDocument(stage) || !pipelineStages.has(name)) {
      throw new CommandError(72, `${name} is not allowed to be used within an update`);
    }
    return toPlainDocument(stage);
  });
  const run = (document: Document): Document => {
    const [result = {}] = runInMingo([toPlainDocument(document)], plain);
    const next = toTypedDocument(result, document);
    const id = field(document, "_id");
    const kept = id === undefined || Object.hasOwn(next, "_id") ? next : { _id: id, ...next };
    return identicalValues(document, kept) ? document : kept;
  };
  return {
    kind: "pipeline",
    apply: (document) => withSameId(document, run(document)),
    create: (query) => withId(run(fromEqualities(query))),
  };
}

function keepIdentical(old: unknown, next: unknown): unknown {
  return identicalValues(old, next) ? old : next;
}

function withSameId(old: Document, next: Document): Document {
  if (old === next || identicalValues(field(old, "_id"), field(next, "_id"))) return next;
  throw new CommandError(
    66,
    "Performing an update on the path '_id' would modify the immutable field '_id'",
  );
}

/** `_id` first, made when the document has none. */
function withId(document: Document): Document {
  return { _id: field(document, "_id") ?? new ObjectId(), ...document };
}

function idOf(document: Document): Document {
  const id = field(document, "_id");
  return id === undefined ? {} : { _id: id };
}

function fromEqualities(query: Document): Document {
  let document: unknown = {};
  for (const [dotted, value] of equalities(query)) {
    const walk = {
      path: parsePath(dotted),
      creating: true,
      change: () => value,
      elementFilters: new Map(),
    };
    document = changeAt(document, walk);
  }
  return isDocument(document) ? document : {};
}

function refuseConflicts(operations: readonly Operation[]): void {
  const seen = new Set<string>();
  for (const { path } of operations) {
    const dotted = path.join(".");
    if (seen.has(dotted)) throw conflict(dotted, dotted);
    seen.add(dotted);
  }
  for (const { path } of operations) {
    for (let depth = 1; depth < path.length; depth++) {
      const parent = path.slice(0, depth).join(".");
      if (seen.has(parent)) throw conflict(path.join("."), parent);
    }
  }
}

function conflict(path: string, at: string): CommandError {
  return new CommandError(40, `Updating the path '${path}' would create a conflict at '${at}'`);
}

function comparePaths(left: Path, right: Path): number {
  for (const [depth, name] of left.entries()) {
    const other = right[depth];
    if (other === undefined) return 1;
    if (name === other) continue;
    const numeric = Number(name) - Number(other);
    if (!Number.isNaN(numeric) && numeric !== 0) return numeric;
    return name < other ? -1 : 1;
  }
  return left.length - right.length;
}
