import { checkpoint, checkpointUsage } from "./checkpoint.ts";
import { throughput } from "./throughput.ts";
import { throughputUsage } from "./throughput-options.ts";

const exitConfiguration = 64;
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
  process.exitCode = await run(args);
}
