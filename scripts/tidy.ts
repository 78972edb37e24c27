import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { tidyFindings } from "./tidy/check.ts";
import type { SourceFile } from "./tidy/source.ts";

/** Checks our own rules, the ones no linter knows; prints what is broken and ends with 1 if anything is. */

const root = join(import.meta.dirname, "..");
const skippedFolders = new Set(["node_modules", ".git", ".data", "coverage"]);
const checkedFiles = /\.(?:ts|json|md|ya?ml|avsc|example|patch)$|(?:^|\/)Dockerfile$/;

function filesUnder(folder: string): SourceFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : filesUnder(path);
    if (!entry.isFile() || !checkedFiles.test(entry.name)) return [];
    return [{ path: relative(root, path).replaceAll(sep, "/"), text: readFileSync(path, "utf8") }];
  });
}

const files = filesUnder(root);
const findings = tidyFindings(files);
for (const { path, line, message } of findings) console.error(`${path}:${line}: ${message}`);
console.log(`tidy: ${files.length} files, ${findings.length} findings`);
process.exitCode = findings.length > 0 ? 1 : 0;
