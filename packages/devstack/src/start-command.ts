import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What stands around `node` in a script of package.json. */
export type StartCommand = {
  /** Paths in them are below the root of the project. */
  readonly variables: Readonly<Record<string, string>>;
  /** Of Node itself, like `--max-semi-space-size=4`. */
  readonly flags: readonly string[];
};

const manifestFile = fileURLToPath(new URL("../../../package.json", import.meta.url));

/**
 * How the script that runs a program starts it, so that whoever starts it otherwise does it alike.
 *
 * @param program below the root of the project, like `packages/sink/src/main.ts`
 * @returns undefined when no script runs it
 */
export function startCommand(
  program: string,
  manifest: unknown = JSON.parse(readFileSync(manifestFile, "utf8")),
): StartCommand | undefined {
  const scripts = Object.values(Object(Reflect.get(Object(manifest), "scripts")));
  const script = scripts.map(String).find((text) => text.split(" ").at(-1) === program);
  if (script === undefined) return undefined;
  const words = script.split(" ");
  const node = words.indexOf("node");
  const variables = words.slice(0, node).map((word) => {
    const [name = "", ...value] = word.split("=");
    return [name, value.join("=")] as const;
  });
  return { variables: Object.fromEntries(variables), flags: words.slice(node + 1, -1) };
}
