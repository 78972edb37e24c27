import { importFindings, manifestOf } from "./imports.ts";
import { sizeFindings } from "./sizes.ts";
import { moduleOf } from "./source.ts";
import { habitFindings, nameFindings, pathFindings, purityFindings } from "./words.ts";
import type { Manifest } from "./imports.ts";
import type { Finding, Module, SourceFile } from "./source.ts";

/** Every broken rule in these files, by path and line. */
export function tidyFindings(files: readonly SourceFile[]): Finding[] {
  const manifests = new Map<string, Manifest>();
  for (const file of files) {
    if (/(?:^|\/)package\.json$/.test(file.path)) manifests.set(file.path, manifestOf(file));
  }
  const found = files.flatMap((file) => {
    const module = moduleOf(file);
    return module === undefined ? pathFindings(file) : moduleFindings(module, manifests);
  });
  return found.toSorted((a, b) => a.path.localeCompare(b.path) || a.line - b.line);
}

function moduleFindings(module: Module, manifests: ReadonlyMap<string, Manifest>): Finding[] {
  const { owner } = module;
  const home = owner === "scripts" ? "package.json" : `packages/${owner}/package.json`;
  return [
    ...importFindings(module, manifests.get(home)),
    ...sizeFindings(module),
    ...nameFindings(module),
    ...purityFindings(module),
    ...habitFindings(module),
    ...pathFindings(module),
  ];
}
