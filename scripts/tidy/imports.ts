import { posix } from "node:path";
import { lineAt } from "./source.ts";
import type { Finding, Module, SourceFile } from "./source.ts";

/** Who may import whom (design section 4). Services meet in topics and collections, never in code. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  engine: [],
  kafka: ["contracts", "engine"],
  service: [],
  traffic: [],
  producer: ["contracts", "kafka", "service", "traffic"],
  processor: ["contracts", "engine", "kafka", "service"],
  sink: ["contracts", "engine", "kafka", "service"],
  dashboard: ["contracts", "kafka", "service"],
  devstack: [],
  bench: ["contracts", "devstack", "engine", "kafka", "traffic"],
  chaos: ["contracts", "devstack", "engine", "kafka", "traffic", "verify"],
  verify: ["contracts", "kafka", "service"],
  scripts: ["contracts", "devstack", "engine", "kafka", "processor", "service", "verify"],
};

/** Tests of every package may start the servers, and name their own package as others do. */
const testsMayImport = new Set(["devstack"]);

/**
 * The simulation runs the real sink behind the real engine. The engine cannot declare what depends on it, so it reaches
 * over by path, from these files alone.
 */
const simulation = {
  folder: "packages/engine/test/simulation/",
  reaches: /^packages\/(?:contracts|sink)\/src\//,
};

/** The suite of a port lies with the port and is run by every adapter; packages export only what is in `src`. */
const conformance = /^packages\/engine\/test\/conformance\//;

type Import = { readonly specifier: string; readonly line: number };

/** Where modules come from, in order of appearance: `from "…"`, `import "…"`, `import("…")`. */
export function importsOf({ text, code }: Module): Import[] {
  const imports: Import[] = [];
  for (const match of code.matchAll(/(?<![.\w])(?:from\s*|import\s*\(?\s*)["']/g)) {
    const start = match.index + match[0].length;
    const specifier = /^[^"'\n]*/.exec(text.slice(start))?.[0] ?? "";
    imports.push({ specifier, line: lineAt(text, start) });
  }
  return imports;
}

/** Directions between packages, the form of imports, and that everything imported is declared. */
export function importFindings(module: Module, manifest: Manifest | undefined): Finding[] {
  return importsOf(module).flatMap(({ specifier, line }) => {
    const complaint = complain(module, specifier, manifest);
    return complaint === undefined ? [] : [{ path: module.path, line, message: complaint }];
  });
}

function complain(
  module: Module,
  specifier: string,
  manifest: Manifest | undefined,
): string | undefined {
  if (specifier.startsWith("node:")) return undefined;
  if (specifier.startsWith(".")) return complainRelative(module, specifier);
  if (specifier.startsWith("@adstream/")) {
    return complainOurs(module, specifier) ?? undeclared(module, specifier, manifest);
  }
  return undeclared(module, specifier, manifest);
}

function complainRelative({ path, owner, place }: Module, specifier: string): string | undefined {
  if (!specifier.endsWith(".ts")) return `"${specifier}": relative imports end in .ts`;
  const target = posix.join(posix.dirname(path), specifier);
  const home = owner === "scripts" ? "scripts/" : `packages/${owner}/`;
  if (target.startsWith(home)) return undefined;
  if (place === "test" && mayImport[owner]?.includes("engine") && conformance.test(target)) {
    return undefined;
  }
  if (path.startsWith(simulation.folder) && simulation.reaches.test(target)) return undefined;
  return `"${specifier}" leaves ${home}: other packages are imported as @adstream/<package>/<file>`;
}

function complainOurs({ owner, place }: Module, specifier: string): string | undefined {
  const [, target = "", ...file] = specifier.split("/");
  if (file.length === 0 || specifier.endsWith(".ts") || file[0] === "src") {
    return `"${specifier}": other packages are imported as @adstream/<package>/<file>`;
  }
  const allowed = mayImport[owner];
  if (allowed === undefined)
    return `package ${owner} is not in the table of scripts/tidy/imports.ts`;
  if (place === "test" && (target === owner || testsMayImport.has(target))) return undefined;
  if (allowed.includes(target)) return undefined;
  const others = allowed.length === 0 ? "none of our packages" : `only ${allowed.join(", ")}`;
  return `${owner} may import ${others}, not ${specifier} (design section 4)`;
}

/** What a package.json declares. */
export type Manifest = {
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
};

export function manifestOf({ text }: SourceFile): Manifest {
  const parsed: unknown = JSON.parse(text);
  return {
    dependencies: Object.keys(Object(Reflect.get(Object(parsed), "dependencies"))),
    devDependencies: Object.keys(Object(Reflect.get(Object(parsed), "devDependencies"))),
  };
}

/** Tests get these from the root, scripts everything of it. */
const fromRoot = new Set(["vitest", "fast-check"]);

function undeclared(
  { owner, place }: Module,
  specifier: string,
  manifest: Manifest | undefined,
): string | undefined {
  const parts = specifier.split("/");
  const name = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
  const development = owner === "scripts" || place === "test";
  if (development && (fromRoot.has(name) || name === `@adstream/${owner}`)) return undefined;
  const declared = [
    ...(manifest?.dependencies ?? []),
    ...(development ? (manifest?.devDependencies ?? []) : []),
  ];
  if (declared.includes(name)) return undefined;
  const home = owner === "scripts" ? "package.json" : `packages/${owner}/package.json`;
  return `${name} is not declared in ${home}${development ? "" : " under dependencies"}`;
}
