import { mask } from "./mask.ts";

/** A file of the repository; the path is relative to its root, with slashes. */
export type SourceFile = { readonly path: string; readonly text: string };

/** A broken rule. Lines count from 1. */
export type Finding = { readonly path: string; readonly line: number; readonly message: string };

/** A TypeScript file as the rules see it. */
export type Module = SourceFile & {
  readonly code: string;
  readonly comments: string;
  /** Name of its package, or "scripts". */
  readonly owner: string;
  readonly place: "src" | "test";
};

/** @returns undefined for files that are no TypeScript of packages or scripts */
export function moduleOf({ path, text }: SourceFile): Module | undefined {
  const inPackage = /^packages\/([^/]+)\/(src|test)\/.*\.ts$/.exec(path);
  const inScripts = /^scripts\/(test\/)?.*\.ts$/.exec(path);
  if (inPackage !== null) {
    const place = inPackage[2] === "src" ? "src" : "test";
    return { path, text, ...mask(text), owner: inPackage[1] ?? "", place };
  }
  if (inScripts === null) return undefined;
  const place = inScripts[1] === undefined ? "src" : "test";
  return { path, text, ...mask(text), owner: "scripts", place };
}

/** Number of the line that holds the character at `index`. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** One finding for every match of `pattern` (with flag g) in one view of a file. */
export function matches(
  path: string,
  view: string,
  { pattern, message }: { readonly pattern: RegExp; readonly message: (found: string) => string },
): Finding[] {
  return [...view.matchAll(pattern)].map((match) => ({
    path,
    line: lineAt(view, match.index),
    message: message(match[0].trim()),
  }));
}
