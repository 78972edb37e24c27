import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { parseEnv, promisify } from "node:util";
import { type Child, type ChildOptions, startChild } from "./child.ts";
import type { DevOptions } from "./options.ts";

/** Kafka, schema registry and MongoDB to run against. */
export type Servers = AsyncDisposable & {
  /** For people: what they are. */
  readonly description: string;
  /** What services need to reach them; empty when the environment names them already. */
  readonly environment: Readonly<Record<string, string>>;
  /** They forget everything when they end, so checkpoints must not outlive them. */
  readonly transient: boolean;
};

const run = promisify(execFile);
const serverVariables = ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "MONGODB_URL"] as const;
/** Servers of our own need no credentials, whatever `.env` says of others. */
const unprotected = {
  KAFKA_SECURITY_PROTOCOL: "PLAINTEXT",
  KAFKA_SASL_USERNAME: "",
  KAFKA_SASL_PASSWORD: "",
  KAFKA_SASL_PASSWORD_FILE: "",
  KAFKA_SSL_CA_FILE: "",
  SCHEMA_REGISTRY_USERNAME: "",
  SCHEMA_REGISTRY_PASSWORD: "",
  SCHEMA_REGISTRY_PASSWORD_FILE: "",
};
const engineTimeoutMs = 5_000;
/** Images may have to be pulled. */
const composeTimeoutMs = 600_000;
const readyTimeoutMs = 30_000;

/**
 * The servers of the environment or `.env`, else those of docker-compose.yml where a Docker engine answers, else the
 * embedded ones.
 * @throws {Error} when those that were asked for cannot be had
 */
export async function openServers(
  wanted: DevOptions["servers"],
  child: Pick<ChildOptions, "logDirectory" | "say" | "onGiveUp">,
): Promise<Servers> {
  const named = serverVariables.filter(
    (name) => (process.env[name] ?? dotEnv()[name] ?? "") !== "",
  );
  if (wanted === "any" && named.length > 0) {
    return {
      description: `the servers of the environment (${named.join(", ")})`,
      environment: {},
      transient: false,
      [Symbol.asyncDispose]: async () => {},
    };
  }
  if (wanted === "docker" || (wanted === "any" && (await dockerAnswers()))) {
    try {
      return await openDocker(child.say);
    } catch (error) {
      const reason = reasonOf(error);
      if (wanted === "docker")
        throw new Error(`docker compose could not start the servers: ${reason}`, { cause: error });
      child.say(`docker compose could not start the servers (${reason}); taking the embedded ones`);
    }
  }
  return openEmbedded(child);
}

function dotEnv(): NodeJS.Dict<string> {
  return existsSync(".env") ? parseEnv(readFileSync(".env", "utf8")) : {};
}

async function dockerAnswers(): Promise<boolean> {
  try {
    await run("docker", ["info"], { timeout: engineTimeoutMs });
    return true;
  } catch {
    return false;
  }
}

async function openDocker(say: (line: string) => void): Promise<Servers> {
  say("starting the servers of docker-compose.yml; the first time their images are pulled");
  const compose = (...args: string[]): Promise<unknown> =>
    run("docker", ["compose", ...args], { timeout: composeTimeoutMs });
  try {
    await compose("up", "--detach", "--wait");
  } catch (error) {
    await compose("down").catch(() => {});
    throw error;
  }
  return {
    description: "docker compose (kept in its volumes; docker compose down --volumes forgets them)",
    environment: {
      ...unprotected,
      KAFKA_BROKERS: `localhost:${process.env["KAFKA_PORT"] ?? "9092"}`,
      SCHEMA_REGISTRY_URL: `http://localhost:${process.env["SCHEMA_REGISTRY_PORT"] ?? "8081"}`,
      MONGODB_URL: `mongodb://localhost:${process.env["MONGODB_PORT"] ?? "27017"}/?directConnection=true`,
    },
    transient: false,
    async [Symbol.asyncDispose]() {
      await compose("down");
    },
  };
}

async function openEmbedded(
  child: Pick<ChildOptions, "logDirectory" | "say" | "onGiveUp">,
): Promise<Servers> {
  const { promise: ready, resolve, reject } = Promise.withResolvers<Record<string, string>>();
  const devstack: Child = startChild({
    ...child,
    name: "devstack",
    program: "packages/devstack/src/main.ts",
    environment: {},
    onMessage(message) {
      const environment: unknown = message["environment"];
      if (typeof environment === "object" && environment !== null) resolve({ ...environment });
    },
  });
  const timer = setTimeout(
    () => reject(new Error("the embedded servers did not start")),
    readyTimeoutMs,
  );
  try {
    return {
      description: "embedded servers in Node, for development only, nothing is kept",
      environment: { ...unprotected, ...(await ready) },
      transient: true,
      async [Symbol.asyncDispose]() {
        await devstack.stop();
      },
    };
  } catch (error) {
    await devstack.stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The last line a command printed says most. */
function reasonOf(error: unknown): string {
  const printed: unknown = error instanceof Error ? Reflect.get(error, "stderr") : undefined;
  const text = typeof printed === "string" && printed.trim() !== "" ? printed : String(error);
  return text.trim().split("\n").at(-1) ?? text;
}
