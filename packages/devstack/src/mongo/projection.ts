import { runInMingo } from "./expression.ts";
import { compileFilter } from "./filter.ts";
import { isNumber, toNumber } from "./numbers.ts";
import { CommandError } from "./errors.ts";
import { parsePath } from "./paths.ts";
import { toPlainDocument, toTypedDocument } from "./plain.ts";
import { isDocument, withField, type Document } from "./values.ts";

type Project = (document: Document) => Document;

/** Wanted fields as a tree: a document for a nested path, a function for a leaf. */
type Tree = Map<string, Tree | Leaf>;
type Leaf = (value: unknown) => unknown;

/** Compiles a projection: fields in, fields out, `$slice` and `$elemMatch`; expressions go to mingo. */
export function compileProjection(spec: Document): Project {
  const entries = Object.entries(spec);
  if (entries.length === 0) return (document) => document;
  const others = entries.filter(([name]) => name !== "_id");
  if (others.some(([, value]) => computes(value))) return throughMingo(spec);
  const including =
    entries.length > others.length && others.length === 0
      ? isTruthy(spec["_id"])
      : others.some(([, value]) => includes(value));
  const tree: Tree = new Map();
  for (const [name, value] of others) {
    if (!isDocument(value) && isTruthy(value) !== including) {
      throw new CommandError(
        31254,
        `Cannot mix inclusion and exclusion of '${name}' in a projection`,
      );
    }
    plant(tree, name, leafFor(value));
  }
  return including ? inclusion(tree, spec) : exclusion(tree, spec);
}

function inclusion(tree: Tree, spec: Document): Project {
  if (!Object.hasOwn(spec, "_id") || isTruthy(spec["_id"])) plant(tree, "_id", keep);
  return (document) => pick(document, tree);
}

function exclusion(tree: Tree, spec: Document): Project {
  if (Object.hasOwn(spec, "_id") && !isTruthy(spec["_id"])) plant(tree, "_id", omit);
  return (document) => cut(document, tree);
}

function throughMingo(spec: Document): Project {
  const stage = { $project: toPlainDocument(spec) };
  return (document) =>
    toTypedDocument(runInMingo([toPlainDocument(document)], [stage])[0] ?? {}, document);
}

function computes(value: unknown): boolean {
  if (typeof value === "string") return true;
  return (
    isDocument(value) && !Object.hasOwn(value, "$slice") && !Object.hasOwn(value, "$elemMatch")
  );
}

/** `$elemMatch` alone makes an inclusion, `$slice` alone does not. */
function includes(value: unknown): boolean {
  return isDocument(value) ? Object.hasOwn(value, "$elemMatch") : isTruthy(value);
}

function isTruthy(value: unknown): boolean {
  return isNumber(value) ? toNumber(value) !== 0 : value === true;
}

const keep: Leaf = (value) => value;
const omit: Leaf = () => undefined;

function leafFor(value: unknown): Leaf {
  if (!isDocument(value)) return isTruthy(value) ? keep : omit;
  return Object.hasOwn(value, "$slice") ? slice(value["$slice"]) : firstMatch(value["$elemMatch"]);
}

function slice(operand: unknown): Leaf {
  const numbers = (Array.isArray(operand) ? operand : [operand]).map((part: unknown) => {
    if (isNumber(part)) return toNumber(part);
    throw new CommandError(28667, "$slice needs a number or two");
  });
  const [first = 0, count] = numbers;
  return (value) => {
    if (!Array.isArray(value)) return value;
    if (count === undefined) return first < 0 ? value.slice(first) : value.slice(0, first);
    const from = first < 0 ? Math.max(0, value.length + first) : first;
    return value.slice(from, from + count);
  };
}

function firstMatch(query: unknown): Leaf {
  const filter = compileFilter({ element: { $elemMatch: query } });
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    const element: unknown = value.find((candidate) => filter.matches({ element: [candidate] }));
    return element === undefined ? undefined : [element];
  };
}

function plant(tree: Tree, dotted: string, leaf: Leaf): void {
  const path = parsePath(dotted);
  if (path.includes("$")) throw new CommandError(2, "the positional projection is not supported");
  let branch = tree;
  for (const name of path.slice(0, -1)) {
    const next = branch.get(name) ?? new Map();
    if (typeof next === "function") throw new CommandError(31249, `Path collision at ${dotted}`);
    branch.set(name, next);
    branch = next;
  }
  const last = path.at(-1) ?? dotted;
  if (branch.has(last)) throw new CommandError(31250, `Path collision at ${dotted}`);
  branch.set(last, leaf);
}

function pick(document: Document, tree: Tree): Document {
  let picked: Document = {};
  for (const [name, value] of Object.entries(document)) {
    const branch = tree.get(name);
    const next =
      branch === undefined
        ? undefined
        : typeof branch === "function"
          ? branch(value)
          : pickNested(value, branch);
    if (next !== undefined) picked = withField(picked, name, next);
  }
  return picked;
}

function pickNested(value: unknown, tree: Tree): unknown {
  if (isDocument(value)) return pick(value, tree);
  if (!Array.isArray(value)) return undefined;
  return value
    .map((element) => pickNested(element, tree))
    .filter((element) => element !== undefined);
}

function cut(document: Document, tree: Tree): Document {
  let rest = document;
  for (const [name, branch] of tree) {
    if (!Object.hasOwn(document, name)) continue;
    const value = document[name];
    rest = withField(
      rest,
      name,
      typeof branch === "function" ? branch(value) : cutNested(value, branch),
    );
  }
  return rest;
}

function cutNested(value: unknown, tree: Tree): unknown {
  if (isDocument(value)) return cut(value, tree);
  return Array.isArray(value) ? value.map((element) => cutNested(element, tree)) : value;
}
