import { findDocuments, type Collection } from "./collection.ts";
import { compileFilter } from "./filter.ts";
import { CommandError } from "./errors.ts";
import { evaluateExpression, runInMingo } from "./expression.ts";
import { compileGroup } from "./group.ts";
import { Int32 } from "bson";
import { isNumber, toNumber } from "./numbers.ts";
import { compileProjection } from "./projection.ts";
import { toPlainDocument, toTypedDocument } from "./plain.ts";
import { sortDocuments } from "./sort.ts";
import { unwind } from "./unwind.ts";
import { isDocument, render, type Document } from "./values.ts";

/** Documents of another collection of the same database, for `$lookup` and its kind. */
export type ReadCollection = (name: string) => Iterable<Document>;

type Stage = (
  documents: readonly Document[],
  operand: unknown,
  read: ReadCollection,
) => readonly Document[];

/** Stages done here keep every number's type; the others go through mingo (see plain.ts). */
const stages: ReadonlyMap<string, Stage> = new Map<string, Stage>([
  ["$match", match],
  ["$sort", sortDocuments],
  ["$limit", (documents, operand) => documents.slice(0, wholeNumber("$limit", operand))],
  ["$skip", (documents, operand) => documents.slice(wholeNumber("$skip", operand))],
  [
    "$count",
    (documents, operand) =>
      documents.length === 0 ? [] : [{ [String(operand)]: new Int32(documents.length) }],
  ],
  ["$group", (documents, operand) => compileGroup(operand)(documents)],
  ["$project", project],
  ["$unset", unset],
  ["$unwind", (documents, operand) => unwind(documents, operand)],
  [
    "$replaceRoot",
    (documents, operand) =>
      replaceRoot(documents, isDocument(operand) ? operand["newRoot"] : undefined),
  ],
  ["$replaceWith", replaceRoot],
]);

const inMingo = new Set([
  "$addFields",
  "$bucket",
  "$bucketAuto",
  "$densify",
  "$facet",
  "$fill",
  "$graphLookup",
  "$lookup",
  "$redact",
  "$sample",
  "$set",
  "$setWindowFields",
  "$sortByCount",
  "$unionWith",
]);

/** Stages of MongoDB that ask for a replica set or for what this server does not keep. */
const refused: Readonly<Record<string, readonly [number, string]>> = {
  $changeStream: [40573, "The $changeStream stage is only supported on replica sets"],
  $out: [238, "$out is not supported"],
  $merge: [238, "$merge is not supported"],
};

/** Runs an aggregation. @throws CommandError 40324 for a stage that does not exist, 238 for one not supported */
export function runPipeline(
  collection: Collection | undefined,
  pipeline: readonly Document[],
  read: ReadCollection,
): readonly Document[] {
  const [first, ...rest] = pipeline;
  const pinned = first !== undefined && isDocument(first["$match"]) ? first["$match"] : undefined;
  // A leading $match finds by _id where it can.
  let current: readonly Document[] =
    collection === undefined ? [] : [...findDocuments(collection, compileFilter(pinned ?? {}))];
  for (const stage of pinned === undefined ? pipeline : rest) {
    const [entry, ...others] = Object.entries(stage);
    if (entry === undefined || others.length > 0) {
      throw new CommandError(
        40323,
        "A pipeline stage specification object must contain exactly one field.",
      );
    }
    current = runStage(current, entry, read);
  }
  return current;
}

function runStage(
  documents: readonly Document[],
  [name, operand]: [string, unknown],
  read: ReadCollection,
): readonly Document[] {
  const run = stages.get(name);
  if (run !== undefined) return run(documents, operand, read);
  if (inMingo.has(name)) return throughMingo(documents, { [name]: operand }, read);
  const [code, message] = refused[name] ?? [40324, `Unrecognized pipeline stage name: '${name}'`];
  throw new CommandError(code, message);
}

function match(documents: readonly Document[], operand: unknown): readonly Document[] {
  if (!isDocument(operand))
    throw new CommandError(15959, "the match filter must be an expression in an object");
  const filter = compileFilter(operand);
  return documents.filter((document) => filter.matches(document));
}

function project(documents: readonly Document[], operand: unknown): readonly Document[] {
  if (!isDocument(operand) || Object.keys(operand).length === 0) {
    throw new CommandError(51272, "specification must have at least one field");
  }
  return documents.map(compileProjection(operand));
}

function unset(documents: readonly Document[], operand: unknown): readonly Document[] {
  const names: unknown[] = Array.isArray(operand) ? operand : [operand];
  return documents.map(
    compileProjection(Object.fromEntries(names.map((name) => [String(name), new Int32(0)]))),
  );
}

function replaceRoot(documents: readonly Document[], expression: unknown): readonly Document[] {
  return documents.map((document) => {
    const root = evaluateExpression(expression, document);
    if (isDocument(root)) return root;
    throw new CommandError(
      40228,
      `'newRoot' expression must evaluate to an object, but got ${render(root)}`,
    );
  });
}

/** Documents that mingo passes on keep their types: they are found again by `_id`. */
function throughMingo(
  documents: readonly Document[],
  stage: Document,
  read: ReadCollection,
): readonly Document[] {
  const origins = new Map<unknown, Document>();
  const plain = documents.map((document) => {
    const copy = toPlainDocument(document);
    origins.set(copy["_id"], document);
    return copy;
  });
  const resolve = (name: string): Record<string, unknown>[] =>
    Array.from(read(name), toPlainDocument);
  return runInMingo(plain, [toPlainDocument(stage)], resolve).map((result) =>
    toTypedDocument(result, origins.get(result["_id"])),
  );
}

function wholeNumber(stage: string, operand: unknown): number {
  const number = isNumber(operand) ? toNumber(operand) : Number.NaN;
  const least = stage === "$limit" ? 1 : 0;
  if (Number.isInteger(number) && number >= least) return number;
  throw new CommandError(
    15958,
    `${stage} needs a whole number of at least ${least}, not ${render(operand)}`,
  );
}
