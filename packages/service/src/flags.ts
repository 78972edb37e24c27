import { parseArgs } from "node:util";
import type { Override } from "./environment-sources.ts";

/** What a flag is for: the variable it stands for, a word for its value (none: a switch), and a line of help. */
export type Flag = { readonly variable: string; readonly value?: string; readonly about: string };

export type FlagTable = Readonly<Record<string, Flag>>;

export type Flags = {
  /** By variable, for `readEnvironment`. A switch that is given reads "true". */
  readonly overrides: ReadonlyMap<string, Override>;
  readonly problems: readonly string[];
  readonly help: boolean;
};

/** Reads `--flag value`, `--flag=value` and `--switch`; what the table does not know becomes a problem. */
export function readFlags(argv: readonly string[], table: FlagTable): Flags {
  const overrides = new Map<string, Override>();
  const problems: string[] = [];
  let help = false;
  for (const token of tokens(argv, table)) {
    if (token.kind === "positional") problems.push(`${token.value}: there is no such argument`);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (token.name === "help" || token.name === "h") help = true;
    else if (flag === undefined)
      problems.push(`${token.rawName}: there is no such flag, see --help`);
    else if (flag.value === undefined && token.value !== undefined) {
      problems.push(`${token.rawName}: takes no value`);
    } else if (flag.value !== undefined && token.value === undefined) {
      problems.push(`${token.rawName}: needs ${flag.value}`);
    } else {
      overrides.set(flag.variable, { flag: token.rawName, value: token.value ?? "true" });
    }
  }
  return { overrides, problems, help };
}

type Token = NonNullable<ReturnType<typeof parseTokens>>[number];

function tokens(argv: readonly string[], table: FlagTable): readonly Token[] {
  return parseTokens(argv, table) ?? [];
}

function parseTokens(argv: readonly string[], table: FlagTable) {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [
      name,
      { type: flag.value === undefined ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  // pnpm passes the `--` of `pnpm producer -- --rate 5` on.
  const args = argv[0] === "--" ? argv.slice(1) : [...argv];
  return parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

/** Help text: usage, and a line per flag with the variable that means the same. */
export function flagHelp(command: string, table: FlagTable): string {
  const rows = Object.entries(table).map(([name, flag]) => ({
    left: flag.value === undefined ? `--${name}` : `--${name} <${flag.value}>`,
    right: `${flag.about} (${flag.variable})`,
  }));
  const width = Math.max(...rows.map((row) => row.left.length), "--help".length);
  const lines = [...rows, { left: "--help", right: "this text" }].map(
    (row) => `  ${row.left.padEnd(width)}  ${row.right}`,
  );
  return [`usage: ${command} [flags]`, ...lines, ""].join("\n");
}
