import { runDlq } from "./dlq/run-dlq.ts";

process.exitCode = await runDlq({
  argv: process.argv.slice(2),
  env: process.env,
  envFile: ".env",
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
