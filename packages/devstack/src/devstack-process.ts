import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The embedded servers in a process of their own; its channel ends it when this process is gone. */
export type DevstackProcess = {
  /** Variables that name the servers. */
  readonly environment: Readonly<Record<string, string>>;
  /** Sends SIGTERM, and waits for the end. */
  stop(): Promise<void>;
};

const program = fileURLToPath(new URL("main.ts", import.meta.url));

/**
 * Starts the embedded servers. What they say to standard error goes to this process's own.
 *
 * @param detached true: Ctrl-C in a terminal does not reach them
 * @param initialRebalanceDelayMs how long the first member of a group waits for others; 0 when left out
 * @param retentionBytes what Kafka keeps of a partition; 256 MiB when left out
 * @throws {Error} when they end before they are ready
 */
export async function startDevstackProcess({
  detached,
  initialRebalanceDelayMs,
  retentionBytes,
}: {
  readonly detached: boolean;
  readonly initialRebalanceDelayMs?: number | undefined;
  readonly retentionBytes?: number | undefined;
}): Promise<DevstackProcess> {
  const flags = Object.entries({
    "initial-rebalance-delay-ms": initialRebalanceDelayMs,
    "retention-bytes": retentionBytes,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  const child = spawn(process.execPath, [program, ...flags], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    detached,
  });
  const exited = once(child, "exit");
  const started = Promise.withResolvers<Record<string, string>>();
  child.on("message", (message) => {
    const environment: unknown = Reflect.get(Object(message), "environment");
    started.resolve({ ...Object(environment) });
  });
  const early = exited.then(() => {
    throw new Error("the embedded servers ended before they were ready");
  });
  early.catch(() => {}); // Lost the race long ago when they end as told.
  return {
    environment: await Promise.race([started.promise, early]),
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
