import { CommandError } from "./errors.ts";
import { field, isDocument, render, withField } from "./values.ts";

/** A dotted path, split once. */
export type Path = readonly string[];

/** Splits a dotted path. @throws CommandError 56 when a segment is empty */
export function parsePath(dotted: string): Path {
  const path = dotted.split(".");
  if (path.includes("")) throw new CommandError(56, `the path '${dotted}' has an empty field name`);
  return path;
}

/**
 * What a filter sees at a path: one value per branch, arrays on the way searched through, by position
 * too. An absent field is `undefined`; an array on the way without documents gives nothing.
 */
export function valuesAt(root: unknown, path: Path): unknown[] {
  const found: unknown[] = [];
  collect(root, path, 0, found);
  return found;
}

function collect(value: unknown, path: Path, depth: number, found: unknown[]): void {
  const name = path[depth];
  if (name === undefined) {
    found.push(value);
  } else if (Array.isArray(value)) {
    const position = arrayPosition(name);
    if (position !== undefined && position < value.length)
      collect(value[position], path, depth + 1, found);
    for (const element of value) if (isDocument(element)) collect(element, path, depth, found);
  } else {
    collect(isDocument(value) ? field(value, name) : undefined, path, depth + 1, found);
  }
}

/** What `changeAt` does with a value: the new one, the same one for no change, `undefined` to remove it. */
export type Change = (old: unknown) => unknown;

/** How a path is walked in an update. */
export type Walk = {
  readonly path: Path;
  readonly change: Change;
  /** Makes what is missing on the way; without it a missing way means no change. */
  readonly creating: boolean;
  /** Says which elements `$[name]` means. */
  readonly elementFilters: ReadonlyMap<string, (element: unknown) => boolean>;
};

/**
 * A copy of `root` with the value at the path changed, or `root` itself when nothing changed.
 *
 * @throws CommandError 28 when the way leads through a scalar, 2 for `$`, which is not supported
 */
export function changeAt(root: unknown, walk: Walk): unknown {
  return step(root, walk, 0);
}

function step(value: unknown, walk: Walk, depth: number): unknown {
  const name = walk.path[depth];
  if (name === undefined) return walk.change(value);
  if (Array.isArray(value)) return stepIntoArray(value, name, walk, depth);
  if (isDocument(value) || (value === undefined && walk.creating)) {
    if (name.startsWith("$[")) throw notAnArray(walk.path, depth);
    const document = isDocument(value) ? value : {};
    const old = field(document, name);
    const next = step(old, walk, depth + 1);
    return next === old ? value : withField(document, name, next);
  }
  if (walk.creating) throw notViable(name, walk.path, depth, value);
  return value;
}

function stepIntoArray(
  array: readonly unknown[],
  name: string,
  walk: Walk,
  depth: number,
): unknown {
  if (name.startsWith("$[")) return stepIntoEach(array, name, walk, depth);
  if (name === "$")
    throw new CommandError(2, "the positional operator '$' is not supported; use '$[<name>]'");
  const position = arrayPosition(name);
  if (position === undefined) {
    if (walk.creating) throw notViable(name, walk.path, depth, array);
    return array;
  }
  const old: unknown = array[position];
  const next = step(old, walk, depth + 1);
  if (next === old) return array;
  const copy = [...array];
  while (copy.length < position) copy.push(null);
  copy[position] = next ?? null; // removing an element leaves null, as MongoDB does
  return copy;
}

function stepIntoEach(array: readonly unknown[], name: string, walk: Walk, depth: number): unknown {
  const filterName = name.slice(2, -1);
  const wanted = filterName === "" ? (): boolean => true : walk.elementFilters.get(filterName);
  if (wanted === undefined)
    throw new CommandError(2, `no array filter found for identifier '${filterName}'`);
  const copy = array.map((element) =>
    wanted(element) ? (step(element, walk, depth + 1) ?? null) : element,
  );
  return copy.some((element, at) => element !== array[at]) ? copy : array;
}

/** Index a path segment names in an array, if it is one. A bound keeps `a.4000000000` from filling memory. */
function arrayPosition(name: string): number | undefined {
  if (!/^(?:0|[1-9]\d{0,6})$/.test(name)) return undefined;
  return Number(name);
}

function notViable(name: string, path: Path, depth: number, value: unknown): CommandError {
  const parent = path[depth - 1] ?? "";
  return new CommandError(
    28,
    `Cannot create field '${name}' in element {${parent}: ${render(value)}}`,
  );
}

function notAnArray(path: Path, depth: number): CommandError {
  const parent = path.slice(0, depth).join(".");
  return new CommandError(
    2,
    `The path '${parent}' must exist in the document in order to apply array updates.`,
  );
}
