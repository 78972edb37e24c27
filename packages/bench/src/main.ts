import { checkpoint, checkpointUsage } from "./checkpoint.ts";
import { throughput } from "./throughput.ts";
import { throughputUsage } from "./throughput-options.ts";

const exitConfiguration = 64;
const exitInternal = 70;
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  throughput,
  checkpoint,
};

const [command = "", ...args] = process.argv.slice(2);
const run = commands[command];
if (run === undefined || args.includes("--help")) {
  process.stderr.write(`${throughputUsage}\n${checkpointUsage}\n`);
  process.exitCode = run === undefined ? exitConfiguration : 0;
} else {
  try {
    process.exitCode = await run(args);
  } catch (error) {
    const { message, code }: { message: string; code?: unknown } =
      error instanceof Error ? error : { message: String(error) };
    process.stderr.write(`bench: ${message}\n`);
    const mistyped = error instanceof RangeError || String(code).startsWith("ERR_PARSE_ARGS");
    process.exitCode = mistyped ? exitConfiguration : exitInternal;
  }
}
