import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type WindowSums, rowKey } from "./oracle.ts";

/** Other engines on our job; "naive" is a stock kafkajs consumer that publishes its results. */
export const peerNames = ["kafka-streams", "flink", "spark", "naive"] as const;
export type PeerName = (typeof peerNames)[number];

/** The harness that runs them, its own broker included. It lies beside the checkout and is described there. */
export type Peers = {
  /** What `setup` installed. */
  readonly installed: readonly PeerName[];
  /** How to get others; one line. */
  readonly setup: (names: readonly PeerName[]) => string;
  /** Runs a tool; what it says about itself goes to standard error. @returns what it prints, a JSON value a line */
  run(tool: "run" | "latency" | "fill", args: readonly string[]): Promise<unknown[]>;
  /** Starts the broker; disposing of it ends it, unless it was there before. */
  openBroker(): AsyncDisposable & { readonly address: string };
  /** What the oracle finds in the topic of a backlog, by `rowKey`, and how many records it holds. */
  backlog(topic: string): { expected: Map<string, WindowSums>; records: number };
};

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** What has to be there, below the folder of the installation. */
const everyone = ["jars/broker", "classes/loader", "venv"];
const parts: Readonly<Record<PeerName, readonly string[]>> = {
  "kafka-streams": ["jars/kafka-streams", "classes/kafka-streams"],
  flink: ["jars/flink", "classes/flink"],
  spark: ["jars/spark", "venv-spark"],
  naive: ["node/node_modules"],
};
/** What the harness calls them. */
export const engineOf = (name: PeerName): string => (name === "naive" ? "kafkajs" : name);

/** @param env `PEERS_DIR` names the harness, `PEERS_HOME` where it is installed, `KAFKA_PORT` its broker's port */
export function findPeers(env: Readonly<Record<string, string | undefined>>): Peers | undefined {
  const folder = resolve(root, env["PEERS_DIR"] || "../shared/peers");
  if (!existsSync(join(folder, "run"))) return undefined;
  const home = resolve(root, env["PEERS_HOME"] || join(folder, ".peers"));
  const environment = { ...env, PEERS_HOME: home, KAFKA_PORT: env["KAFKA_PORT"] || "19392" };
  const there = (part: string): boolean => existsSync(join(home, part));
  return {
    installed: everyone.every(there) ? peerNames.filter((name) => parts[name].every(there)) : [],
    setup(names) {
      const engines = names.filter((name) => name !== "naive");
      const given = env["PEERS_HOME"] ? `PEERS_HOME=${env["PEERS_HOME"]} ` : "";
      return [given + join(relative(root, folder), "setup"), ...engines].join(" ");
    },
    run: (tool, args) => runTool(join(folder, tool), args, environment),
    openBroker: () => openBroker(folder, environment),
    backlog: (topic) => readBacklog(join(home, "data", topic)),
  };
}

async function runTool(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<unknown[]> {
  const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
  // It ends the engine, which is in a session of its own.
  const interrupt = (): void => void child.kill("SIGINT");
  process.once("exit", interrupt);
  const ended = Promise.withResolvers<number | null>();
  child.once("close", ended.resolve);
  child.once("error", ended.reject);
  const printed = await text(child.stdout);
  const code = await ended.promise;
  process.off("exit", interrupt);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}`);
  const lines = printed.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line): unknown => JSON.parse(line));
}

function openBroker(
  folder: string,
  env: NodeJS.ProcessEnv,
): AsyncDisposable & { readonly address: string } {
  const tool = (name: string): string =>
    execFileSync(join(folder, name), {
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
  const mine = !tool("kafka-up").startsWith("already up");
  // It outlives us otherwise: it is in a session of its own.
  const down = (): void => void (mine && tool("kafka-down"));
  const interrupted = (): void => {
    down();
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  return {
    address: `127.0.0.1:${env["KAFKA_PORT"]}`,
    async [Symbol.asyncDispose]() {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupted);
      await Promise.resolve(down());
    },
  };
}

function readBacklog(folder: string): ReturnType<Peers["backlog"]> {
  const about: unknown = JSON.parse(readFileSync(join(folder, "topic.json"), "utf8"));
  const csv = readFileSync(join(folder, "oracle.csv"), "utf8");
  return {
    expected: parseOracle(csv),
    records: Number(Reflect.get(Object(about), "records")),
  };
}

/** Lines of `ad_id,window_start,count,clicks,views,cost,…` below a head. */
export function parseOracle(csv: string): Map<string, WindowSums> {
  const [, ...lines] = csv.trimEnd().split(/\r?\n/);
  return new Map(
    lines.map((line) => {
      const [adId = "", start, count, clicks, views, cost] = line.split(",");
      const sums = {
        count: Number(count),
        clicks: Number(clicks),
        views: Number(views),
        cost: Number(cost),
      };
      return [rowKey(Number(start), adId), sums];
    }),
  );
}
