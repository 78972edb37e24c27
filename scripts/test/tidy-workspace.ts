import { tidyFindings } from "../tidy/check.ts";
import type { SourceFile } from "../tidy/source.ts";

const manifestContents: [string, object][] = [
  ["package.json", { devDependencies: { zod: "4", "@adstream/kafka": "workspace:*" } }],
  ["packages/engine/package.json", {}],
  ["packages/contracts/package.json", {}],
  [
    "packages/devstack/package.json",
    { dependencies: { bson: "7" }, devDependencies: { kafkajs: "2" } },
  ],
  [
    "packages/sink/package.json",
    {
      dependencies: { "@adstream/engine": "workspace:*", "@adstream/contracts": "workspace:*" },
      devDependencies: { "@adstream/devstack": "workspace:*" },
    },
  ],
];
/** Of a small workspace, for the files under test to lie in. */
export const manifests: readonly SourceFile[] = manifestContents.map(([path, content]) => ({
  path,
  text: JSON.stringify(content),
}));

/** What is found in one file of that workspace, as `path:line: message`. */
export function findings(path: string, text: string): string[] {
  return tidyFindings([...manifests, { path, text }]).map(
    (found) => `${found.path}:${found.line}: ${found.message}`,
  );
}

export const imported = (specifier: string): string => `import { x } from "${specifier}";\n`;
export const lines = (count: number, line = "x();"): string => `${line}\n`.repeat(count);
