import { describe, expect, test } from "vitest";
import { findings, lines } from "./tidy-workspace.ts";

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
