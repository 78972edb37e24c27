import { kafkaAdmin, runTopics } from "./topics/run-topics.ts";

process.exitCode = await runTopics({
  argv: process.argv.slice(2),
  env: process.env,
  envFile: ".env",
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  openAdmin: kafkaAdmin,
});
