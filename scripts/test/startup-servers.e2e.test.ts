import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  canary,
  openStage,
  type Service,
  services,
  type Stage,
  startService,
  until,
} from "./startup-stage.ts";

/** Nothing listens there. */
const nowhere = "127.0.0.1:1";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.resources.disposeAsync());

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
      const started = startService(stage, service, { ...stage.environment, [variable]: url });
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
      const started = startService(stage, service, {
        ...stage.environment,
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
  const { KAFKA_BROKERS = "" } = stage.environment;
  const kafka = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  await producer.connect();
  const value = Buffer.of(0, 0, 0, 0, 1, 0);
  await producer.send({ topic: stage.names.RESULTS_TOPIC, messages: [{ key: "key", value }] });
  await producer.disconnect();
}

describe.concurrent("with credentials that are refused", () => {
  test.each([
    ["producer", 64],
    ["processor", 64],
  ] as const)("by the registry, the %s ends with %d and one line", async (service, exitCode) => {
    await using registry = await refusingRegistry();
    const { code, said, stderr } = startService(stage, service, {
      ...stage.environment,
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
    const { code, said, stderr } = startService(stage, service, {
      ...stage.environment,
      KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
      KAFKA_SASL_USERNAME: "me",
      KAFKA_SASL_PASSWORD: canary,
    });
    expect(await code).toBeGreaterThan(0);
    expect(stderr()).toMatch(new RegExp(`^adstream ${service}: .*KAFKA_BROKERS.*\n$`));
    expect(said()).not.toContain(canary);
  });

  test("by MongoDB, the sink names its variable and shows none", async () => {
    const { MONGODB_URL = "" } = stage.environment;
    const url = MONGODB_URL.replace("://", `://me:${canary}@`);
    const sink = startService(stage, "sink", { ...stage.environment, MONGODB_URL: url });
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
