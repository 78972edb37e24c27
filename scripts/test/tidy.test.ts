import { describe, expect, test } from "vitest";
import { tidyFindings } from "../tidy/check.ts";
import { mask } from "../tidy/mask.ts";
import { findings, imported, manifests } from "./tidy-workspace.ts";

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
