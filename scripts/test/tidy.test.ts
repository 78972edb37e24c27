import { describe, expect, test } from "vitest";
import { tidyFindings } from "../tidy/check.ts";
import { mask } from "../tidy/mask.ts";
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
const manifests: SourceFile[] = manifestContents.map(([path, content]) => ({
  path,
  text: JSON.stringify(content),
}));

function findings(path: string, text: string): string[] {
  return tidyFindings([...manifests, { path, text }]).map(
    (found) => `${found.path}:${found.line}: ${found.message}`,
  );
}

const imported = (specifier: string): string => `import { x } from "${specifier}";\n`;
const lines = (count: number, line = "x();"): string => `${line}\n`.repeat(count);

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

describe("sizes", () => {
  const path = "packages/engine/src/window.ts";
  test("a file has 300 lines", () => {
    expect(findings(path, lines(300))).toEqual([]);
    expect(findings(path, lines(301))).toEqual([
      `${path}:1: 301 lines: at most 300, split by reason`,
    ]);
  });

  test("a test may be longer", () => {
    expect(findings("packages/engine/test/window.test.ts", lines(500))).toEqual([]);
  });

  const long = (body: number): string => lines(body, "    x();");
  test.each([
    ["a function", "function a(b: B): C {\n", "}\n", 1],
    [
      "a head over lines",
      "export async function a(\n  b: B,\n  c: C,\n): Promise<D> {\n",
      "}\n",
      1,
    ],
    ["an arrow", "const a = (b) => {\n", "};\n", 1],
    ["a method", "class A {\n  async *a(b: B) {\n", "  }\n}\n", 2],
    ["a private method", "class A {\n  #a(): void {\n", "  }\n}\n", 2],
    ["a callback", 'on("x", async (b) => {\n', "});\n", 1],
    ["a property", "const a = {\n  b: (c): D => {\n", "  },\n};\n", 2],
  ])("%s has 70 lines, head and end included", (_case, head, end, line) => {
    const around = (head + end).split("\n").length - 1 - (line === 2 ? 2 : 0);
    expect(findings(path, head + long(70 - around) + end)).toEqual([]);
    expect(findings(path, head + long(71 - around) + end)).toEqual([
      `${path}:${line}: a function of 71 lines: at most 70`,
    ]);
  });

  test.each([
    ["an object", "const a = {\n", "};\n"],
    ["a call with an object", "const a = z.object({\n", "});\n"],
    ["a class", "class A extends B(c) {\n", "}\n"],
    ["a branch", "if (a) {\n", "} else if (b) {\n    x();\n}\n"],
    ["a branch over lines", "if (\n  a &&\n  b\n) {\n", "}\n"],
    ["a loop", "for (const a of b) {\n", "}\n"],
    ["a guard", "try {\n", "} catch (a) {\n    x();\n}\n"],
  ])("%s is no function", (_case, head, end) => {
    expect(findings(path, head + long(100) + end)).toEqual([]);
  });
});

describe("names", () => {
  test.each([
    ["packages/sink/src/utils.ts", "utils"],
    ["packages/sink/src/kafka-helpers.ts", "kafka-helpers"],
    ["packages/sink/src/common/merge.ts", "common"],
    ["packages/sink/src/index.ts", "index"],
    ["packages/sink/test/state-manager.test.ts", "state-manager"],
    ["scripts/lib/dev.ts", "lib"],
  ])("%s says nothing", (path, name) => {
    expect(findings(path, "")).toEqual([
      `${path}:1: the name ${name} says nothing: name it after what it holds`,
    ]);
  });

  test.each(["packages/sink/src/mergeSlots.ts", "packages/sink/src/merge_slots.ts"])(
    "%s is not kebab-case",
    (path) => {
      expect(findings(path, "")).toEqual([`${path}:1: file names are kebab-case`]);
    },
  );

  test.each(["packages/kafka/src/library.ts", "packages/kafka/test/crc32c.integration.test.ts"])(
    "%s is fine",
    (path) => {
      expect(findings(path, "")).toEqual([]);
    },
  );
});

describe("purity", () => {
  test.each([
    "Date.now()",
    "new Date()",
    "Math.random()",
    "performance.now()",
    "setTimeout(f)",
    "process.env",
    "AbortSignal.timeout(1)",
    "fetch(url)",
    "crypto.randomUUID()",
  ])("engine and contracts do without %s", (call) => {
    for (const owner of ["engine", "contracts"]) {
      const path = `packages/${owner}/src/window.ts`;
      const found = findings(path, `\nconst a = ${call};\n`);
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(new RegExp(`^${path}:2: .*: ${owner} is pure`));
    }
    expect(findings("packages/sink/src/a.ts", `const a = ${call};\n`)).toEqual([]);
    expect(findings("packages/engine/test/a.test.ts", `const a = ${call};\n`)).toEqual([]);
    expect(findings("packages/engine/src/a.ts", `// not ${call}\n`)).toEqual([]);
  });

  test.each(["node:fs", "node:fs/promises", "node:net", "node:http", "node:timers/promises"])(
    "engine and contracts do not import %s",
    (specifier) => {
      const path = "packages/engine/src/window.ts";
      expect(findings(path, imported(specifier))).toEqual([
        `${path}:1: ${specifier}: engine is pure, I/O is behind a port`,
      ]);
      expect(findings("packages/sink/src/a.ts", imported(specifier))).toEqual([]);
    },
  );

  test("dates of given times, hashes and the root schema are fine", () => {
    const text = `${imported("node:crypto")}const a = new Date(timeMs);\n`;
    expect(findings("packages/engine/src/window.ts", text)).toEqual([]);
    expect(findings("packages/contracts/src/ad-event.ts", imported("node:fs"))).toEqual([]);
  });
});

describe("habits", () => {
  const todo = ["TO", "DO"].join("");
  test.each([
    ["packages/sink/src/a.ts", "export default a;\n", "a default export: exports have names"],
    [
      "packages/sink/src/a.ts",
      'export * from "./b.ts";\n',
      "export *: a file exports what it defines",
    ],
    ["packages/sink/src/a.ts", `// ${todo}: more\n`, `${todo}: do it, or open an issue`],
    ["packages/sink/test/a.test.ts", 'test.only("a", b);\n', "test.only: every test runs"],
    ["packages/sink/test/a.test.ts", "describe.skip(b);\n", "describe.skip: every test runs"],
    ["packages/sink/test/a.test.ts", "test.each.skip(b);\n", "test.each.skip: every test runs"],
  ])("%s: %j", (path, text, message) => {
    expect(findings(path, text)).toEqual([`${path}:1: ${message}`]);
  });

  test.each([
    ["packages/sink/src/a.ts", `const a = "${todo}";\n`],
    ["packages/sink/src/a.ts", "records.skip(2);\n"],
    ["packages/sink/test/a.test.ts", 'const a = "test.only";\n'],
  ])("%s: %j is fine", (path, text) => {
    expect(findings(path, text)).toEqual([]);
  });
});

describe("paths of one machine", () => {
  const folder = (...parts: string[]): string => ["", ...parts].join("/");
  test.each([
    folder("home", "me"),
    folder("Users", "me", "x"),
    folder("work", "main"),
    folder("root", ".npm"),
  ])("%s is none that others have, in any file", (path) => {
    for (const file of ["README.md", ".ci/run.yml", "packages/sink/src/a.ts"]) {
      expect(findings(file, `\n// see ${path}\n`)).toHaveLength(1);
    }
  });

  test.each(["packages/work/main", "https://host/home/page", "./root/x", "~/work/x", "/tmp/x"])(
    "%s is fine",
    (path) => {
      expect(findings("README.md", `see ${path}\n`)).toEqual([]);
    },
  );
});

test("findings come by path and line", () => {
  const text = "export default a;\n// FIXME\n".replace("FIXME", ["FIX", "ME"].join(""));
  const files = ["packages/sink/src/b.ts", "packages/sink/src/a.ts"].map((path) => ({
    path,
    text,
  }));
  const found = tidyFindings([...manifests, ...files]).map(({ path, line }) => [path, line]);
  expect(found).toEqual([
    ["packages/sink/src/a.ts", 1],
    ["packages/sink/src/a.ts", 2],
    ["packages/sink/src/b.ts", 1],
    ["packages/sink/src/b.ts", 2],
  ]);
});

test.each([
  ["a division", "a / b / c // d", "a / b / c     "],
  ["a regular expression", 'x(/["/]/g); "y"', 'x(      g); " "'],
  ["a template in a template", "`a${`b${c}`}d` e", "` ${` ${c}`} ` e"],
  ["a brace in a template's code", "`${{ a: {} }}b` c", "`${{ a: {} }} ` c"],
  ["an escaped quote", String.raw`"a\"b" c`, '"    " c'],
  ["a quote in a comment", "a /* ' */ b", "a         b"],
])("masking knows %s", (_case, text, code) => {
  expect(mask(text).code).toBe(code);
});
