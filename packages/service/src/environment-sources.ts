import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";

/** A value from the command line, which wins over the environment. */
export type Override = { readonly flag: string; readonly value: string };

/** Where a setting was found: its text, and the flag when it came from the command line. */
export type Source = { readonly value: string; readonly flag?: string };

export type Sources = {
  readonly values: ReadonlyMap<string, Source>;
  /** Every variable that is set, known or not. */
  readonly present: readonly string[];
  readonly problems: readonly string[];
};

type Places = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: string | null;
  readonly overrides: ReadonlyMap<string, Override>;
};

/** Secrets of these names may be given as `<name>_FILE`. */
const fromFile = /_(PASSWORD|TOKEN|SECRET)$/;

/** Settings whose text must never be quoted. A MongoDB URL may hold a password. */
export function isSecretName(name: string): boolean {
  return fromFile.test(name) || name === "MONGODB_URL";
}

const maxShownLength = 60;

/** A value for an error message: quoted, cut, and left out where it may hold a password. */
export function shown(value: string): string {
  if (value.includes("@")) return "a value with @ (not shown, it may hold a password)";
  const cut = value.length > maxShownLength ? `${value.slice(0, maxShownLength)}…` : value;
  return JSON.stringify(cut);
}

/** Collects the text of every setting of `names`, by precedence; reads `.env` and secret files. */
export function readSources(names: readonly string[], places: Places): Sources {
  const problems: string[] = [];
  const merged = mergeFile(places, problems);
  const values = new Map<string, Source>();
  for (const name of names) {
    const override = places.overrides.get(name);
    const value = override?.value ?? textOf(name, merged, problems);
    if (value === undefined) continue;
    values.set(name, override === undefined ? { value } : { value, flag: override.flag });
  }
  return { values, present: [...merged.keys()], problems };
}

function mergeFile({ env, file }: Places, problems: string[]): ReadonlyMap<string, string> {
  const merged = new Map(Object.entries(file === null ? {} : readEnvFile(file, problems)));
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined) merged.set(name, value);
  }
  // An empty variable is one that a compose file or a shell passed on without a value.
  return new Map([...merged].flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

function readEnvFile(file: string, problems: string[]): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(file, "utf8"));
  } catch (error) {
    if (errorCode(error) !== "ENOENT") problems.push(`${file} cannot be read: ${errorCode(error)}`);
    return {};
  }
}

function textOf(
  name: string,
  merged: ReadonlyMap<string, string>,
  problems: string[],
): string | undefined {
  const direct = merged.get(name);
  const path = fromFile.test(name) ? merged.get(`${name}_FILE`) : undefined;
  if (path === undefined) return direct;
  if (direct !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: only one of them may be`);
    return direct;
  }
  try {
    // Editors end files with a newline that is not part of the password.
    const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    if (text === "") problems.push(`${name}_FILE: the file is empty`);
    return text;
  } catch (error) {
    // The path is not quoted: it may be the secret itself, put into the wrong variable.
    problems.push(`${name}_FILE: the file cannot be read (${errorCode(error)})`);
    return undefined;
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** Shorter names are too close to everything. */
const minTypoLength = 6;
/** In keystrokes; of the longer names. */
const highestTolerance = 2;

/** One hint per variable that is not in `names` but one or two keystrokes from a name in it that is not set. */
export function typoHints(names: readonly string[], present: readonly string[]): string[] {
  const known = new Set(names);
  const missing = names.filter((name) => !present.includes(name));
  return present.flatMap((name) => {
    if (known.has(name) || name.length < minTypoLength) return [];
    const meant = missing.find(
      (candidate) => editDistance(name, candidate) <= tolerance(candidate),
    );
    return meant === undefined ? [] : [`${name} is not a setting: did you mean ${meant}?`];
  });
}

function tolerance(name: string): number {
  return name.length >= 12 ? highestTolerance : 1;
}

/** Levenshtein's, given up (as Infinity) once it exceeds every tolerance: a machine has many variables that are not ours. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > highestTolerance) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const swap = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const remove = (previous[column] ?? 0) + 1;
      const insert = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(swap, remove, insert));
    }
    // What is behind a row comes to no less than the least of it.
    if (Math.min(...current) > highestTolerance) return Number.POSITIVE_INFINITY;
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
