import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Bench, type Cell, type Figures, outputText } from "./results.ts";
import { count } from "./option-values.ts";

export const recoveryUsage =
  "pnpm bench recovery [--kills 20] [--seed 1] [--session-timeout 6s] [--json]";

/** Far enough apart that the group is whole again before the next one; few processes, for nothing else is measured. */
const calm =
  "--interval 10-12 --stop-ratio 0 --bad-ratio 0 --producers 1 --processors 3 --sinks 1".split(" ");
const chaosProgram = fileURLToPath(new URL("../../chaos/src/main.ts", import.meta.url));

/**
 * How long the work of a killed processor waits for another one: `pnpm chaos` with kills far apart. What it counts again
 * at the end has to be right here, too.
 * @returns the exit code of the kill loop: 1 when anything was lost or wrong
 */
export async function recovery(args: readonly string[], bench: Bench): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      "session-timeout": { type: "string", default: "6s" },
      json: { type: "boolean", default: false },
    },
  });
  const kills = count("kills", values.kills);
  const sessionTimeout = values["session-timeout"];
  const chosen = [
    "--kills",
    `${kills}`,
    "--seed",
    values.seed,
    "--session-timeout",
    sessionTimeout,
  ];
  const child = spawn(process.execPath, [chaosProgram, "--json", ...chosen, ...calm], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = Promise.withResolvers<number | null>();
  child.once("close", ended.resolve);
  child.once("error", ended.reject);
  const printed = await text(child.stdout);
  const code = (await ended.promise) ?? 1;
  if (printed === "") return code;
  const report: unknown = JSON.parse(printed);
  const figures = recoveryFigures(report, sessionTimeout);
  process.stdout.write(outputText(bench.from, figures, values.json));
  for (const problem of problemsOf(report)) process.stderr.write(`bench: ${problem}\n`);
  if (code === 0) bench.save(figures);
  return code;
}

/** @param report of `pnpm chaos --json` */
export function recoveryFigures(report: unknown, sessionTimeout: string): Figures {
  const value = (of: unknown, key: string): unknown => Reflect.get(Object(of), key);
  const phases = value(report, "phasesMs");
  const faults = Object.entries(Object(value(report, "faults"))).map(
    ([what, times]) => `${String(times)} ${what}`,
  );
  const documents = String(value(value(report, "documents"), "there"));
  const servers = String(value(report, "servers"));
  const right = problemsOf(report).length === 0 ? "all right" : "not all right";
  return {
    setting: `${faults.join(", ")}; session timeout ${sessionTimeout}; ${servers}; ${documents} documents counted again, ${right}`,
    tables: [
      {
        caption: "",
        columns: [
          { name: "seconds from a processor's SIGKILL, per task" },
          { name: "tasks" },
          ...["p50", "p95", "p99", "max"].map((name) => ({ name, digits: 1 })),
        ],
        rows: [
          quantileRow("to its first new result", value(report, "recoveryMs")),
          quantileRow("of those, noticed and assigned", value(phases, "assigned")),
          quantileRow("state claimed and restored", value(phases, "acquired")),
          quantileRow("first result", value(phases, "published")),
        ],
      },
    ],
    raw: report,
  };
}

function quantileRow(name: string, quantiles: unknown): Cell[] {
  const figure = (key: string): number | null => {
    const found: unknown = Reflect.get(Object(quantiles), key);
    return typeof found === "number" ? found : null;
  };
  const seconds = ["p50", "p95", "p99", "max"].map((key) => {
    const ms = figure(key);
    return ms === null ? null : ms / 1_000;
  });
  return [name, figure("count") ?? 0, ...seconds];
}

function problemsOf(report: unknown): string[] {
  const problems: unknown = Reflect.get(Object(report), "problems");
  return Array.isArray(problems) ? problems.map(String) : [];
}
