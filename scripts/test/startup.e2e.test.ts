import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openServers } from "../dev/servers.ts";
import { createTestTopics, type TestNames } from "./test-topics.ts";

const services = ["producer", "processor", "sink"] as const;
type Service = (typeof services)[number];

/** In every password; it must not come out anywhere. */
const canary = "c4n4ry-p4ssw0rd";
/** Nothing listens there. */
const nowhere = "127.0.0.1:1";

const resources = new AsyncDisposableStack();
let directory: string;
let names: TestNames;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "adstream-startup-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const child = { logDirectory: directory, say: () => {}, onGiveUp: () => {} };
  const servers = resources.use(await openServers("embedded", child));
  names = await createTestTopics({ ...process.env, ...servers.environment });
  environment = { ...servers.environment, ...names };
});
afterAll(() => resources.disposeAsync());

type Started = {
  readonly child: ChildProcess;
  /** Everything it wrote so far, to either stream. */
  readonly said: () => string;
  readonly stderr: () => string;
  readonly warnings: () => string[];
  readonly code: Promise<unknown>;
  readonly over: () => boolean;
};

/** A service as a process of its own, in a directory without `.env`. */
function start(
  service: Service,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Started {
  const program = join(import.meta.dirname, `../../packages/${service}/src/main.ts`);
  const child = fork(program, args, {
    cwd: directory,
    env: { PATH: process.env["PATH"], CHECKPOINT_URL: `file:${directory}/checkpoints`, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [],
  });
  resources.defer(() => void child.kill("SIGKILL"));
  let [out, err, over] = ["", "", false];
  child.stdout?.on("data", (chunk) => (out += String(chunk)));
  child.stderr?.on("data", (chunk) => (err += String(chunk)));
  const code = once(child, "close").then(([exitCode]) => {
    over = true;
    return exitCode;
  });
  return {
    child,
    code,
    said: () => out + err,
    stderr: () => err,
    warnings: () => out.split("\n").filter((line) => line.includes('"level":40')),
    over: () => over,
  };
}

async function until(what: string, { said, over }: Started, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 45_000;
  while (!holds()) {
    if (over() || performance.now() > endMs) {
      throw new Error(`waited in vain for ${what}:\n${said()}`);
    }
    await sleep(25);
  }
}

describe.concurrent("in plain Node", () => {
  test.each(services)("the %s starts, and says what it takes", async (service) => {
    const { code, said } = start(service, {}, ["--help"]);
    expect(await code).toBe(0);
    expect(said()).toMatch(new RegExp(`^usage: pnpm ${service} `));
  });
});

const serverUrls: readonly [Service, string, string][] = [
  ["producer", "KAFKA_BROKERS", nowhere],
  ["producer", "SCHEMA_REGISTRY_URL", `http://me:${canary}@${nowhere}`],
  ["processor", "KAFKA_BROKERS", nowhere],
  ["processor", "SCHEMA_REGISTRY_URL", `http://me:${canary}@${nowhere}`],
  ["sink", "KAFKA_BROKERS", nowhere],
  ["sink", "SCHEMA_REGISTRY_URL", `http://me:${canary}@${nowhere}`],
  [
    "sink",
    "MONGODB_URL",
    `mongodb://me:${canary}@${nowhere}/?directConnection=true&serverSelectionTimeoutMS=500`,
  ],
];

describe.concurrent("without a server", () => {
  test.each(serverUrls)(
    "the %s names it and %s, goes on trying, and ends with 0 when told to",
    async (service, variable, url) => {
      // The sink needs the registry once there is something to read.
      if (service === "sink") await sendResult();
      const started = start(service, { ...environment, [variable]: url });
      const naming = (): string[] =>
        started.warnings().filter((line) => line.includes(variable) && line.includes(nowhere));
      await until("two attempts", started, () => naming().length >= 2);
      started.child.kill("SIGTERM");
      const stoppingAt = performance.now();
      expect([await started.code, started.stderr()]).toEqual([0, ""]);
      expect(performance.now() - stoppingAt).toBeLessThan(10_000);
      expect(started.said()).not.toMatch(/"stack"|\n? {4}at |"level":[56]0/);
      expect(started.said()).not.toContain(canary);
    },
  );
});

describe.concurrent("with a port that takes connections and never answers", () => {
  test.each(
    serverUrls.filter(
      ([service, variable]) => service !== "sink" || variable !== "SCHEMA_REGISTRY_URL",
    ),
  )(
    "the %s names it and %s, and ends with 0 at once when told to",
    async (service, variable, url) => {
      await using silent = await silentServer();
      const started = start(service, {
        ...environment,
        [variable]: url.replace(nowhere, silent.address),
      });
      const named = (): boolean =>
        started.warnings().some((line) => line.includes(variable) && line.includes(silent.address));
      await until("a warning", started, named);
      await until("the next attempt", started, () => silent.connections() >= 2);
      started.child.kill("SIGTERM");
      const stoppingAt = performance.now();
      expect([await started.code, started.stderr()]).toEqual([0, ""]);
      expect(performance.now() - stoppingAt).toBeLessThan(10_000);
      expect(started.said()).not.toMatch(/"stack"|"level":[56]0/);
    },
  );
});

type SilentServer = AsyncDisposable & {
  readonly address: string;
  readonly connections: () => number;
};

async function silentServer(): Promise<SilentServer> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port = 0 } = Object(server.address());
  return {
    address: `127.0.0.1:${String(port)}`,
    connections: () => sockets.length,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function sendResult(): Promise<void> {
  const { KAFKA_BROKERS = "" } = environment;
  const kafka = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  await producer.connect();
  const value = Buffer.of(0, 0, 0, 0, 1, 0);
  await producer.send({ topic: names.RESULTS_TOPIC, messages: [{ key: "key", value }] });
  await producer.disconnect();
}

describe.concurrent("with credentials that are refused", () => {
  test.each([
    ["producer", 64],
    ["processor", 64],
  ] as const)("by the registry, the %s ends with %d and one line", async (service, exitCode) => {
    await using registry = await refusingRegistry();
    const { code, said, stderr } = start(service, {
      ...environment,
      SCHEMA_REGISTRY_URL: registry.url,
      SCHEMA_REGISTRY_USERNAME: "me",
      SCHEMA_REGISTRY_PASSWORD: canary,
    });
    expect(await code).toBe(exitCode);
    expect(stderr()).toBe(
      `adstream ${service}: the schema registry at ${registry.url} (SCHEMA_REGISTRY_URL) refuses access (401)\n`,
    );
    expect(said()).not.toContain(canary);
  });

  test.each(services)("by Kafka, the %s ends with one line that holds none", async (service) => {
    const { code, said, stderr } = start(service, {
      ...environment,
      KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
      KAFKA_SASL_USERNAME: "me",
      KAFKA_SASL_PASSWORD: canary,
    });
    expect(await code).toBeGreaterThan(0);
    expect(stderr()).toMatch(new RegExp(`^adstream ${service}: .*KAFKA_BROKERS.*\n$`));
    expect(said()).not.toContain(canary);
  });

  test("by MongoDB, the sink names its variable and shows none", async () => {
    const { MONGODB_URL = "" } = environment;
    const url = MONGODB_URL.replace("://", `://me:${canary}@`);
    const sink = start("sink", { ...environment, MONGODB_URL: url });
    await until("a word about it", sink, () => sink.said().includes("MONGODB_URL"));
    sink.child.kill("SIGTERM");
    await sink.code;
    expect(sink.said()).not.toContain(canary);
  });
});

async function refusingRegistry(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(401, { "content-type": "application/json" });
    response.end(JSON.stringify({ error_code: 401, message: "Unauthorized" }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port = 0 } = Object(server.address());
  return {
    url: `http://127.0.0.1:${String(port)}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Wrong for every service, and what is said about it. */
const mistakes = {
  KAFKA_BROKERS: "broker-1",
  KAFKA_SECURITY_PROTOCOL: "TLS",
  KAFKA_SASL_PASSWORD: canary,
  SCHEMA_REGISTRY_URL: `ftp://me:${canary}@registry`,
  SCHEMA_REGISTRY_PASSWORD: canary,
  HTTP_PORT: "http",
  HTTP_TOKEN: canary,
  LOG_LEVEL: "loud",
};
const complaints = [
  'KAFKA_BROKERS is "broker-1": must be host:port, several separated by commas',
  'KAFKA_SECURITY_PROTOCOL is "TLS": must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL',
  "SCHEMA_REGISTRY_URL is a value with @ (not shown, it may hold a password): must begin with http:// or https:// and name a host",
  'HTTP_PORT is "http": must be a whole number from 0 to 65535',
  'LOG_LEVEL is "loud": must be one of fatal, error, warn, info, debug, trace, silent',
  "KAFKA_SASL_PASSWORD is set: KAFKA_SECURITY_PROTOCOL must be SASL_SSL for it to be used",
  "SCHEMA_REGISTRY_USERNAME is not set: user name and password belong together",
  "HTTP_TOKEN: must be at least 32 random characters",
];

const garbage: readonly [Service, Readonly<Record<string, string>>, readonly string[]][] = [
  [
    "producer",
    { EVENTS_TOPIC: "a b", PRODUCER_RATE: "fast" },
    [
      'EVENTS_TOPIC is "a b": must be 1 to 249 letters, digits, dots, underscores or dashes',
      'PRODUCER_RATE is "fast": must be a number from 0.001 to 1000000',
    ],
  ],
  [
    "processor",
    { CHECKPOINT_URL: "s3://bucket", WINDOW_SIZE: "60", EMIT: "late" },
    [
      'CHECKPOINT_URL is "s3://bucket": must be a local directory like file:.data/checkpoints or a bucket like gs://bucket/prefix',
      'WINDOW_SIZE is "60": must be a duration like 500ms, 10s, 1m or 1h',
      'EMIT is "late": must be one of early, final',
    ],
  ],
  [
    "sink",
    { MONGODB_URL: `postgres://me:${canary}@db`, RESULT_TTL: "-1d" },
    [
      "MONGODB_URL: must begin with mongodb:// or mongodb+srv:// and name a host",
      'RESULT_TTL is "-1d": must be a duration like 500ms, 10s, 1m or 1h, or off',
    ],
  ],
];

describe.concurrent("with wrong settings", () => {
  test.each(garbage)(
    "the %s ends with 64, lists all of them at once and quotes no secret",
    async (service, env, own) => {
      const { code, said, stderr } = start(service, { ...environment, ...mistakes, ...env });
      expect(await code).toBe(64);
      const [head, ...lines] = stderr().trimEnd().split("\n");
      const expected = [...complaints, ...own].map((line) => `  ${line}`);
      expect(head).toBe(`adstream ${service}: ${expected.length} settings are wrong`);
      expect(lines.toSorted()).toEqual(expected.toSorted());
      expect(said()).toBe(stderr());
      expect(said()).not.toContain(canary);
    },
  );
});
