import { matches } from "./source.ts";
import type { Finding, Module, SourceFile } from "./source.ts";

/** Names that say nothing, so everything ends up in them. */
const emptyNames = [
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "misc",
  "shared",
  "lib",
  "core",
];
const forbiddenNames = new Set([...emptyNames, "manager", "base", "index"]);
const kebabCase = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*\.ts$/;

/** Files and folders named after what they hold, in kebab-case. */
export function nameFindings({ path }: Module): Finding[] {
  const found: Finding[] = [];
  const segments = path.split("/");
  for (const segment of segments) {
    const word = segment.replace(/(?:\.\w+)*\.ts$/, "");
    if (!word.split("-").some((part) => forbiddenNames.has(part))) continue;
    found.push({
      path,
      line: 1,
      message: `the name ${word} says nothing: name it after what it holds`,
    });
  }
  if (!kebabCase.test(segments.at(-1) ?? "")) {
    found.push({ path, line: 1, message: "file names are kebab-case" });
  }
  return found;
}

/** What engine and contracts do without: they are functions of their arguments. */
const impure =
  /\b(?:Date\.now\b|new Date\(\)|Math\.random\b|performance\b|set(?:Timeout|Interval|Immediate)\b|fetch\(|process\.|AbortSignal\.timeout\b|crypto\.(?:random|getRandom)\w*|console\.)/g;
/** Hashes and checksums are functions of their input; an announcement changes nothing for whoever makes it. */
const pureModules = /^node:(?:assert(?:\/strict)?|buffer|crypto|diagnostics_channel|util|zlib)$/;
/** The root schema is a file that other tools read too. */
const mayRead = "packages/contracts/src/ad-event.ts";

/** No clock, chance or I/O in the packages that must be pure. */
export function purityFindings(module: Module): Finding[] {
  const { path, code, text, owner, place } = module;
  if (place !== "src" || (owner !== "engine" && owner !== "contracts")) return [];
  const calls = matches(path, code, {
    pattern: impure,
    message: (found) => `${found}: ${owner} is pure, time and chance are arguments`,
  });
  if (path === mayRead) return calls;
  const imports = [...text.matchAll(/^.*\bfrom "(node:[\w/]+)"/gm)].flatMap((match) =>
    pureModules.test(match[1] ?? "") ? [] : matchLine(module, match),
  );
  return [...calls, ...imports];
}

function matchLine({ path, text, owner }: Module, match: RegExpExecArray): Finding[] {
  const line = text.slice(0, match.index).split("\n").length;
  return [{ path, line, message: `${match[1]}: ${owner} is pure, I/O is behind a port` }];
}

/** Exports by name, tests that all run, comments that promise nothing. */
export function habitFindings({ path, code, comments, place }: Module): Finding[] {
  return [
    ...matches(path, code, {
      pattern: /^export default\b/gm,
      message: () => "a default export: exports have names",
    }),
    ...matches(path, code, {
      pattern: /^export \* /gm,
      message: () => "export *: a file exports what it defines",
    }),
    ...matches(path, comments, {
      pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/g,
      message: (found) => `${found}: do it, or open an issue`,
    }),
    ...(place === "src"
      ? []
      : matches(path, code, {
          pattern: /\b(?:test|it|describe|suite)(?:\.\w+)*\.(?:only|skip|todo)\b/g,
          message: (found) => `${found}: every test runs`,
        })),
  ];
}

const machinePath = /(?<![\w.~/-])\/(?:home|Users|root|work)\/[\w.-]+|\b[A-Z]:\\Users\\/g;

/** Nobody else has these folders. */
export function pathFindings({ path, text }: SourceFile): Finding[] {
  return matches(path, text, {
    pattern: machinePath,
    message: (found) => `${found}: a path of one machine`,
  });
}
