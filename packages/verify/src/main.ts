import { runService } from "@adstream/service/run-service";
import { defaults, environment, flags } from "./config.ts";
import { readVerifyConfig, runOnce } from "./run-once.ts";
import { watch } from "./watch.ts";

const host = {
  argv: process.argv.slice(2),
  env: process.env,
  envFile: ".env",
  stdout: (text: string) => void process.stdout.write(text),
  stderr: (text: string) => void process.stderr.write(text),
};
const config = readVerifyConfig(host);
if (typeof config === "number") process.exitCode = config;
else if (config.VERIFY_EVERY === null) process.exitCode = await runOnce(config, host);
else await runService({ name: "verify", environment, defaults, flags, main: watch });
