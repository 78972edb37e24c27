import type { Finding, Module } from "./source.ts";

const maxFileLines = 300;
const maxFunctionLines = 70;

/** Files of at most 300 lines, functions of at most 70; tests may be longer. */
export function sizeFindings(module: Module): Finding[] {
  if (module.place === "test") return [];
  const { path, code } = module;
  const lines = code.split("\n");
  const count = lines.length - (lines.at(-1) === "" ? 1 : 0);
  const tooLong: Finding[] =
    count <= maxFileLines
      ? []
      : [{ path, line: 1, message: `${count} lines: at most ${maxFileLines}, split by reason` }];
  for (const { line, length } of functionsOf(lines)) {
    if (length <= maxFunctionLines) continue;
    const message = `a function of ${length} lines: at most ${maxFunctionLines}`;
    tooLong.push({ path, line, message });
  }
  return tooLong;
}

type Block = { readonly line: number; readonly length: number };

const control =
  /^(?:\} )?(?:if|else|for|while|do|switch|case|default|try|catch|finally|class|with)\b/;
/** The end of a parameter list, and perhaps a return type, or an arrow, before a body. */
const opensBody = /(?:=>|\)(?:\s*:\s*[^=]+)?)\s*\{$/;

/**
 * Functions with a body in braces, found by the indentation that the formatter guarantees: a body ends at the line that
 * begins with `}` and is indented like its head.
 */
function functionsOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  for (const [end, closing] of lines.entries()) {
    if (!/^\s*\}/.test(closing)) continue;
    const opening = previousAt(lines, end, indentOf(closing));
    const head = headOf(lines, opening);
    if (head === undefined || opening === undefined) continue;
    const opener = (lines[opening] ?? "").trimEnd();
    if (!opensBody.test(opener) || control.test((lines[head] ?? "").trim())) continue;
    blocks.push({ line: head + 1, length: end - head + 1 });
  }
  return blocks;
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function previousAt(lines: readonly string[], from: number, indent: number): number | undefined {
  for (let at = from - 1; at >= 0; at--) {
    const line = lines[at] ?? "";
    if (line.trim() !== "" && indentOf(line) === indent) return at;
  }
  return undefined;
}

/** The first line of a head that was broken over several: parameters stand between it and `) {`. */
function headOf(lines: readonly string[], opening: number | undefined): number | undefined {
  let at = opening;
  while (at !== undefined && /^\s*[)}\]>]/.test(lines[at] ?? "")) {
    at = previousAt(lines, at, indentOf(lines[at] ?? ""));
  }
  return at;
}
