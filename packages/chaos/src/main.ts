import { runKillLoop } from "./kill-loop.ts";
import { help, readOptions, UsageError } from "./options.ts";
import { tableOf } from "./report-table.ts";

const exitFailed = 1;
const exitUsage = 64;

process.exitCode = await main();

async function main(): Promise<number> {
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => ending.abort(new Error(`ended by ${signal}`)));
  }
  try {
    const options = readOptions(process.argv.slice(2), process.env);
    if (options === undefined) return print(help, 0);
    const say = (line: string): void => void process.stderr.write(`chaos: ${line}\n`);
    const report = await runKillLoop(options, { say, signal: ending.signal, env: process.env });
    const text = options.json ? JSON.stringify(report, null, 2) : tableOf(report).join("\n");
    return print(text, report.problems.length === 0 ? 0 : exitFailed);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`chaos: ${text}\n`);
    return error instanceof UsageError ? exitUsage : exitFailed;
  }
}

function print(text: string, code: number): number {
  process.stdout.write(`${text}\n`);
  return code;
}
