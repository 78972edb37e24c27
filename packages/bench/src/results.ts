import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Origin, origin } from "./machine.ts";
import { table } from "./table.ts";

/** A column of figures; the first of a table names its rows. */
export type Column = {
  /** With its unit: "CPU s/M", "p99 ms". */
  readonly name: string;
  /** Digits behind the point; 0 when absent. */
  readonly digits?: number;
};

/** null: not measured. */
export type Cell = string | number | null;

/** Figures as they are read; numbers are kept whole and rounded where they are shown. */
export type ResultTable = {
  /** Empty where there is but one. */
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
};

/** What a subcommand found out. */
export type Figures = {
  /** What was measured, with the options that matter: one line for readers. */
  readonly setting: string;
  readonly tables: readonly ResultTable[];
  /** Every single run, for later questions; JSON-safe. */
  readonly raw: unknown;
};

/** As kept in `results/<name>.json`. */
export type Result = Origin & { readonly name: string } & Figures;

/** What every subcommand is given beside its arguments. */
export type Bench = {
  readonly from: Origin;
  /** Keeps the figures if `--save` was given, else does nothing. Figures of which a row is wrong are not to be saved. */
  save(figures: Figures): void;
};

const folder = new URL("../results/", import.meta.url);
const fileName = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/**
 * Takes `--save` or `--save=<name>` out of a subcommand's arguments; without a name the file is named as the subcommand.
 *
 * @throws {RangeError} a name that is not in kebab-case
 */
export function openBench(command: string, args: readonly string[]): [readonly string[], Bench] {
  const flag = args.find((arg) => arg === "--save" || arg.startsWith("--save="));
  const name = flag?.split("=")[1] ?? command;
  if (!fileName.test(name)) throw new RangeError(`--save=${name} is not a name like two-words`);
  const rest = args.filter((arg) => arg !== flag);
  const from = origin([command, ...rest]);
  const save = (figures: Figures): void => {
    if (flag !== undefined) write({ name, ...from, ...figures });
  };
  return [rest, { from, save }];
}

function write(result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${result.name}.json`, folder), `${JSON.stringify(result, null, 1)}\n`);
  process.stderr.write(`saved ${result.name}; pnpm bench report takes it into the documents\n`);
}

/** All that were saved, by name. */
export function readSavedResults(): ReadonlyMap<string, Result> {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return new Map(
    files.toSorted().map((file) => {
      const result: Result = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
      return [result.name, result];
    }),
  );
}

/** What a subcommand prints: for a terminal, or as JSON. */
export function outputText(from: Origin, figures: Figures, json: boolean): string {
  return json
    ? `${JSON.stringify({ ...from, ...figures }, null, 1)}\n`
    : figuresText(from, figures);
}

/** For a terminal. */
export function figuresText({ machine }: Origin, { setting, tables }: Figures): string {
  const where = `${machine.cores} cores of ${machine.cpu}, load ${machine.load}`;
  return `${[setting, where, ...tables.map((one) => `\n${tableText(one)}`)].join("\n")}\n`;
}

export function tableText({ caption, columns, rows }: ResultTable): string {
  const names = columns.map(({ name }) => name);
  const text = table(names, rowsText(columns, rows));
  return caption === "" ? text : `${caption}\n${text}`;
}

/** For a page; aligned as the formatter does it. Figures to the right. */
export function markdownTable({ columns, rows }: ResultTable): string {
  const lines = [columns.map(({ name }) => name), ...rowsText(columns, rows)];
  const figures = columns.map((_, at) => at > 0 && rows.some((row) => typeof row[at] === "number"));
  const widths = columns.map((_, at) => Math.max(3, ...lines.map((line) => line[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) => {
      const width = widths[at] ?? 0;
      return figures[at] === true ? cell.padStart(width) : cell.padEnd(width);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rules = widths.map((width, at) =>
    figures[at] === true ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  const [head = [], ...body] = lines;
  return [head, rules, ...body].map(line).join("\n");
}

function rowsText(columns: readonly Column[], rows: ResultTable["rows"]): string[][] {
  return rows.map((row) => columns.map(({ digits = 0 }, at) => cellText(row[at] ?? null, digits)));
}

/** "1,234.50"; a dash where nothing was measured. */
export function cellText(cell: Cell, digits: number): string {
  if (cell === null) return "–";
  if (typeof cell === "string") return cell;
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return cell.toLocaleString("en", fraction);
}
