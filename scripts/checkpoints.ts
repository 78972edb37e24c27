import { runCheckpoints } from "./checkpoints/run-checkpoints.ts";

process.exitCode = await runCheckpoints({
  argv: process.argv.slice(2),
  env: process.env,
  envFile: ".env",
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  nowMs: Date.now(),
});
