import { describe, expect, test } from "vitest";
import { findings, imported } from "./tidy-workspace.ts";

describe("imports", () => {
  test.each([
    ["packages/engine/src/window.ts", "./pane.ts"],
    ["packages/engine/test/simulation/run.test.ts", "../../src/pane.ts"],
    ["packages/engine/test/window.test.ts", "@adstream/engine/window"],
    ["packages/engine/test/window.test.ts", "vitest"],
    ["packages/engine/test/simulation/run.test.ts", "../../../sink/src/merge.ts"],
    ["packages/sink/src/main.ts", "@adstream/engine/ports"],
    ["packages/sink/test/store.test.ts", "../../engine/test/conformance/store.ts"],
    ["packages/sink/test/main.integration.test.ts", "@adstream/devstack/start-devstack"],
    ["packages/devstack/src/main.ts", "bson"],
    ["packages/devstack/test/main.test.ts", "kafkajs"],
    ["scripts/topics.ts", "@adstream/kafka/topics"],
    ["scripts/topics.ts", "zod"],
    ["scripts/test/topics.test.ts", "../topics.ts"],
  ])("%s may import %s", (path, specifier) => {
    expect(findings(path, imported(specifier))).toEqual([]);
  });

  test.each([
    [
      "packages/engine/src/window.ts",
      "@adstream/contracts/topics",
      "engine may import none of our packages, not @adstream/contracts/topics (design section 4)",
    ],
    [
      "packages/sink/src/main.ts",
      "@adstream/processor/main",
      "sink may import only contracts, engine, kafka, service, not @adstream/processor/main (design section 4)",
    ],
    [
      "packages/sink/src/main.ts",
      "@adstream/devstack/start-devstack",
      "sink may import only contracts, engine, kafka, service, not @adstream/devstack/start-devstack (design section 4)",
    ],
    [
      "packages/sink/src/main.ts",
      "@adstream/sink/merge",
      "sink may import only contracts, engine, kafka, service, not @adstream/sink/merge (design section 4)",
    ],
    [
      "packages/devstack/test/main.test.ts",
      "@adstream/kafka/topics",
      "devstack may import none of our packages, not @adstream/kafka/topics (design section 4)",
    ],
    [
      "packages/sink/src/main.ts",
      "@adstream/kafka/topics",
      "@adstream/kafka is not declared in packages/sink/package.json under dependencies",
    ],
    [
      "packages/devstack/src/main.ts",
      "kafkajs",
      "kafkajs is not declared in packages/devstack/package.json under dependencies",
    ],
    ["scripts/dev.ts", "pino", "pino is not declared in package.json"],
    [
      "packages/sink/src/main.ts",
      "@adstream/engine",
      '"@adstream/engine": other packages are imported as @adstream/<package>/<file>',
    ],
    [
      "packages/sink/src/main.ts",
      "@adstream/engine/src/ports.ts",
      '"@adstream/engine/src/ports.ts": other packages are imported as @adstream/<package>/<file>',
    ],
    [
      "packages/sink/src/main.ts",
      "../../engine/src/ports.ts",
      '"../../engine/src/ports.ts" leaves packages/sink/: other packages are imported as @adstream/<package>/<file>',
    ],
    [
      "packages/engine/test/window.test.ts",
      "../../sink/src/merge.ts",
      '"../../sink/src/merge.ts" leaves packages/engine/: other packages are imported as @adstream/<package>/<file>',
    ],
    [
      "packages/engine/test/simulation/run.test.ts",
      "../../../kafka/src/topics.ts",
      '"../../../kafka/src/topics.ts" leaves packages/engine/: other packages are imported as @adstream/<package>/<file>',
    ],
    [
      "packages/sink/src/main.ts",
      "../../engine/test/conformance/store.ts",
      '"../../engine/test/conformance/store.ts" leaves packages/sink/: other packages are imported as @adstream/<package>/<file>',
    ],
    ["packages/sink/src/main.ts", "./merge", '"./merge": relative imports end in .ts'],
    [
      "packages/gossip/src/main.ts",
      "@adstream/engine/ports",
      "package gossip is not in the table of scripts/tidy/imports.ts",
    ],
  ])("%s may not import %s", (path, specifier, message) => {
    expect(findings(path, imported(specifier))).toEqual([`${path}:1: ${message}`]);
  });

  test.each([
    ["over lines", 'import {\n  a,\n} from "pino";\n', 3],
    ["for types", 'import type { A } from "pino";\n', 1],
    ["for effect", 'import "pino";\n', 1],
    ["on demand", 'const a = await import("pino");\n', 1],
    ["to export", 'export { a } from "pino";\n', 1],
  ])("are seen %s", (_case, text, line) => {
    const path = "packages/sink/src/main.ts";
    expect(findings(path, text)).toEqual([
      `${path}:${line}: pino is not declared in packages/sink/package.json under dependencies`,
    ]);
  });

  test.each([
    ["in comments", '// import { a } from "pino";\n/* from "pino" */\n'],
    ["in texts", "const a = 'import { a } from \"pino\"';\n"],
    ["in templates", 'const a = `\nimport { a } from "pino";\n${b}\nfrom "pino"`;\n'],
    ["in calls", 'const magic = Buffer.from("pino");\n'],
  ])("are not seen %s", (_case, text) => {
    expect(findings("packages/sink/src/main.ts", text)).toEqual([]);
  });
});
