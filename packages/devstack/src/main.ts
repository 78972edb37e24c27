import { parseArgs } from "node:util";
import { startDevstack, type Devstack, type DevstackOptions } from "./start-devstack.ts";

const exitConfiguration = 64;
const exitInternal = 70;

await main();

/** Runs the devstack as a process of its own until a signal, or until the parent that forked it is gone. */
async function main(): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
    process.once("disconnect", resolve);
  });
  const devstack = await open();
  if (devstack === undefined) return;
  print("devstack: embedded Kafka, schema registry and MongoDB, for development only");
  print(JSON.stringify({ environment: devstack.environment }));
  tellParent({ environment: devstack.environment });
  await ended;
  await devstack.close();
  if (process.connected) process.disconnect(); // an open channel would keep the process alive
}

/** To whoever forked this process. A parent that is gone by now is no error here: `disconnect` follows. */
function tellParent(message: object): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

async function open(): Promise<Devstack | undefined> {
  try {
    return await startDevstack(readOptions());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`devstack: ${message}\n`);
    process.exitCode =
      error instanceof Error && isConfiguration(error) ? exitConfiguration : exitInternal;
    if (process.connected) process.disconnect();
    return undefined;
  }
}

/** Wrong arguments and ports or directories that are taken: starting again would not help. */
function isConfiguration(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "";
  return (
    ["EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "ELOCKED"].includes(code) ||
    code.startsWith("ERR_PARSE_ARGS") ||
    error instanceof RangeError
  );
}

function readOptions(): DevstackOptions {
  const { values } = parseArgs({
    options: {
      "kafka-port": { type: "string" },
      "registry-port": { type: "string" },
      "mongo-port": { type: "string" },
      data: { type: "string" },
      "initial-rebalance-delay-ms": { type: "string" },
      "retention-bytes": { type: "string" },
    },
  });
  return {
    ports: {
      kafka: port("--kafka-port", values["kafka-port"]),
      registry: port("--registry-port", values["registry-port"]),
      mongo: port("--mongo-port", values["mongo-port"]),
    },
    dataDirectory: values.data,
    initialRebalanceDelayMs: count(
      "--initial-rebalance-delay-ms",
      values["initial-rebalance-delay-ms"],
    ),
    retentionBytes: count("--retention-bytes", values["retention-bytes"]),
    log: (line) => process.stderr.write(`${line}\n`),
  };
}

function port(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d{1,5}$/.test(text) && number < 2 ** 16) return number;
  throw new RangeError(`${flag} ${text} is not a port between 0 and 65535`);
}

function count(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new RangeError(`${flag} ${text} is not a whole number`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
