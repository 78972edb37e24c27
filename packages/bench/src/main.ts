import { checkpoint, checkpointUsage } from "./checkpoint.ts";
import { compare } from "./compare.ts";
import { compareUsage } from "./compare-options.ts";
import { latency } from "./latency.ts";
import { latencyUsage } from "./latency-options.ts";
import { emission } from "./emission.ts";
import { emissionUsage } from "./emission-options.ts";
import { producer } from "./producer.ts";
import { producerUsage } from "./producer-options.ts";
import { recovery, recoveryUsage } from "./recovery.ts";
import { regression, regressionUsage } from "./regression.ts";
import { report, reportUsage } from "./report.ts";
import { type Bench, openBench } from "./results.ts";
import { scale, scaleUsage } from "./scale.ts";
import { study } from "./study.ts";
import { studyUsage } from "./study-options.ts";
import { throughput } from "./throughput.ts";
import { throughputUsage } from "./throughput-options.ts";

type Command = {
  /** @returns the exit code */
  readonly run: (args: readonly string[], bench: Bench) => Promise<number>;
  readonly usage: string;
};

const exitConfiguration = 64;
const exitInternal = 70;
const commands: Readonly<Record<string, Command>> = {
  throughput: { run: throughput, usage: throughputUsage },
  checkpoint: { run: checkpoint, usage: checkpointUsage },
  compare: { run: compare, usage: compareUsage },
  emission: { run: emission, usage: emissionUsage },
  producer: { run: producer, usage: producerUsage },
  recovery: { run: recovery, usage: recoveryUsage },
  regression: { run: regression, usage: regressionUsage },
  report: { run: report, usage: reportUsage },
  latency: { run: latency, usage: latencyUsage },
  scale: { run: scale, usage: scaleUsage },
  study: { run: study, usage: studyUsage },
};

const [name = "", ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined || args.includes("--help")) {
  const shown = command === undefined ? Object.values(commands) : [command];
  const usages = shown.map(({ usage }) => `${usage}\n`).join("");
  process.stderr.write(`${usages}--save[=name] keeps the figures in packages/bench/results\n`);
  process.exitCode = command === undefined ? exitConfiguration : 0;
} else {
  try {
    process.exitCode = await command.run(...openBench(name, args));
  } catch (error) {
    const { message, code }: { message: string; code?: unknown } =
      error instanceof Error ? error : { message: String(error) };
    process.stderr.write(`bench: ${message}\n`);
    const mistyped = error instanceof RangeError || String(code).startsWith("ERR_PARSE_ARGS");
    process.exitCode = mistyped ? exitConfiguration : exitInternal;
  }
}
