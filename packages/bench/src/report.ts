import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { readmeFigures } from "./readme-figures.ts";
import { markdownTable, readSavedResults, type Result } from "./results.ts";

export const reportUsage = "pnpm bench report";

const root = new URL("../../../", import.meta.url);
const begin = "<!-- figures: pnpm bench report -->";
const end = "<!-- end of figures -->";

/** A document that is made of saved results, by its path from the root of the checkout. */
export type Document = { readonly path: string; readonly is: string; readonly shouldBe: string };

/** Writes the saved results into the documents. */
export async function report(args: readonly string[]): Promise<number> {
  parseArgs({ args: [...args], options: {} });
  for (const { path, is, shouldBe } of documents()) {
    if (is !== shouldBe) writeFileSync(new URL(path, root), shouldBe);
    process.stdout.write(`${path} ${is === shouldBe ? "is as it was" : "written"}\n`);
  }
  return Promise.resolve(0);
}

/** As they are, and as the saved results would have them. */
export function documents(): Document[] {
  const results = readSavedResults();
  const page = "packages/bench/RESULTS.md";
  const readme = read("README.md");
  return [
    { path: page, is: read(page), shouldBe: resultsPage(results) },
    { path: "README.md", is: readme, shouldBe: withFigures(readme, readmeFigures(results)) },
  ];
}

function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/**
 * A text with other figures between its two marks.
 *
 * @throws {Error} when it has no marks
 */
export function withFigures(text: string, figures: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`no "${begin}" with "${end}" behind it`);
  const inner = figures === "" ? "" : `\n${figures}\n`;
  return `${text.slice(0, from)}${begin}\n${inner}\n${text.slice(to)}`;
}

/** All results, each with where it comes from. */
export function resultsPage(results: ReadonlyMap<string, Result>): string {
  const intro = [
    "# Results",
    "Written by `pnpm bench report` from `results/*.json`, which `pnpm bench <subcommand> --save` writes; not to be edited.",
  ];
  return `${[...intro, ...[...results.values()].flatMap(section)].join("\n\n")}\n`;
}

function section({ name, setting, tables, date, command, commit, machine }: Result): string[] {
  const { cores, cpu, memoryGiB, kernel, node, load } = machine;
  return [
    `## ${name}`,
    `${setting}.`,
    ...tables.flatMap((one) => [
      ...(one.caption === "" ? [] : [`${one.caption}:`]),
      markdownTable(one),
    ]),
    `\`${command}\`, ${date.slice(0, 10)}, commit ${commit.slice(0, 12)}; ${cores} cores of ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, load before ${load}.`,
  ];
}
