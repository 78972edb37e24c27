import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDevstack } from "@adstream/devstack/start-devstack";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** What must never be read again: one for each place a secret may stand in. */
const canaries = {
  kafka: "c4n4ry-kafka-pass",
  registry: "c4n4ry/registry+pass",
  mongo: "c4n4ry%40mongo-pass",
  token: "c4n4ry-token-of-at-least-32-characters",
};
/** As such, and as a header of basic authentication holds them, wherever in it they begin. */
const forbidden = new RegExp(["c4n4ry", ...[0, 1, 2].map(base64Core)].join("|"));

/** The part of the base64 of "c4n4ry" that does not depend on what stands around it. */
function base64Core(shift: number): string {
  const first = Math.ceil((shift * 8) / 6);
  return btoa(`${"x".repeat(shift)}c4n4ry`).slice(first, Math.floor(((shift + 6) * 8) / 6));
}

const services = {
  producer: "packages/producer/src/main.ts",
  processor: "packages/processor/src/main.ts",
  sink: "packages/sink/src/main.ts",
};
const programs = {
  ...services,
  verify: "packages/verify/src/main.ts",
  topics: "scripts/topics.ts",
  dlq: "scripts/dlq.ts",
};
type Program = keyof typeof programs;

const words: Partial<Record<Program, readonly string[]>> = { topics: ["describe"], dlq: ["list"] };

const root = join(import.meta.dirname, "..", "..");
/** Long enough to try servers a few times and to complain. */
const watchedMs = 4_000;
/** For tools that wait without a word. */
const silentMs = 30_000;

const secretEnvironment = {
  KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
  KAFKA_SASL_USERNAME: "user",
  KAFKA_SASL_PASSWORD: canaries.kafka,
  SCHEMA_REGISTRY_USERNAME: "user",
  SCHEMA_REGISTRY_PASSWORD: canaries.registry,
  HTTP_TOKEN: canaries.token,
  LOG_LEVEL: "trace",
};

/** Ports of the servers; without SASL Kafka lets them through to the registry. */
type Place = {
  readonly kafka: number;
  readonly registry: number;
  readonly mongo: number;
  readonly sasl?: boolean;
};

function environmentOf({ kafka, registry, mongo, sasl = true }: Place): Record<string, string> {
  const {
    KAFKA_SASL_USERNAME: _user,
    KAFKA_SASL_PASSWORD: _password,
    ...others
  } = secretEnvironment;
  return {
    ...(sasl ? secretEnvironment : { ...others, KAFKA_SECURITY_PROTOCOL: "PLAINTEXT" }),
    KAFKA_BROKERS: `127.0.0.1:${kafka}`,
    SCHEMA_REGISTRY_URL: `http://127.0.0.1:${registry}`,
    MONGODB_URL: `mongodb://user:${canaries.mongo}@127.0.0.1:${mongo}/?serverSelectionTimeoutMS=1500`,
  };
}

/** All that a process prints within a moment, until it ends or is ended. */
async function printed(
  program: Program,
  environment: Record<string, string>,
  flags: readonly string[] = [],
): Promise<{ readonly text: string; readonly code: number | null }> {
  await using directory = await temporaryDirectory();
  const args = [join(root, programs[program]), ...flags];
  const child = spawn(process.execPath, args, {
    cwd: directory.path,
    env: { PATH: process.env["PATH"], CHECKPOINT_URL: "file:checkpoints", ...environment },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("without its output nothing is checked");
  let text = "";
  stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.on("message", (message) => (text += JSON.stringify(message)));
  const closed = once(child, "close");
  // From the first word on: a busy machine is slow to start a process.
  const words = Promise.race([once(stdout, "data"), once(stderr, "data"), closed]);
  const patience = setTimeout(() => child.kill("SIGTERM"), silentMs);
  await words;
  clearTimeout(patience);
  const timer = setTimeout(() => child.kill("SIGTERM"), watchedMs);
  const kill = setTimeout(() => child.kill("SIGKILL"), watchedMs * 2);
  const [code] = await closed;
  clearTimeout(timer);
  clearTimeout(kill);
  return { text, code: typeof code === "number" ? code : null };
}

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "adstream-secrets-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const opened = new AsyncDisposableStack();
const ports = { garbage: 0, quoting: 0, devstack: { kafka: 0, registry: 0, mongo: 0 } };

/** Says something else than the protocol, with whatever it was sent, and hangs up. */
function parrot(socket: Socket): void {
  socket.on("error", () => {});
  socket.on("data", (chunk) => socket.end(chunk));
}

/** A server that quotes the request, credentials included, in its refusal. */
function quoting(request: IncomingMessage): string {
  const quoted = `${request.headers.authorization} and ${request.url} of user:${canaries.registry}`;
  return JSON.stringify({ error_code: 40101, message: `refused ${quoted}` });
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  opened.defer(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

beforeAll(async () => {
  const { environment } = opened.use(await startDevstack());
  await printed("topics", environment, ["create"]);
  ports.devstack = {
    kafka: Number(environment.KAFKA_BROKERS.split(":")[1]),
    registry: Number(new URL(environment.SCHEMA_REGISTRY_URL).port),
    mongo: Number(new URL(environment.MONGODB_URL).port),
  };
  ports.garbage = await listening(createServer(parrot));
  ports.quoting = await listening(
    createHttpServer((request, response) => {
      response.writeHead(401, { "content-type": "application/vnd.schemaregistry.v1+json" });
      response.end(quoting(request));
    }),
  );
});
afterAll(() => opened.disposeAsync());

const everyProgram = Object.keys(programs).filter((name): name is Program => name in programs);

describe.for(everyProgram)("no secret is printed by %s", (program) => {
  test.concurrent.for<[string, () => Place]>([
    ["when nobody answers", () => ({ kafka: 1, registry: 1, mongo: 1 })],
    [
      "when others answer",
      () => ({ kafka: ports.garbage, registry: ports.garbage, mongo: ports.garbage }),
    ],
    [
      "when the registry quotes what it was sent",
      () => ({ ...ports.devstack, registry: ports.quoting, sasl: false }),
    ],
    ["when servers refuse the credentials", () => ports.devstack],
  ])("%s", { timeout: 90_000 }, async ([, place]) => {
    const command = words[program] ?? [];
    const { text } = await printed(program, environmentOf(place()), command);
    expect(text).not.toMatch(forbidden);
    // Tools may still be waiting without a word; a service says that it began.
    if (program in services) expect(text.length).toBeGreaterThan(20);
  });

  test(
    "when settings are wrong, with secrets where they do not belong",
    { timeout: 90_000 },
    async () => {
      const { text, code } = await printed(
        program,
        {
          ...environmentOf({ kafka: 1, registry: 1, mongo: 1 }),
          KAFKA_BROKERS: `https://user:${canaries.kafka}@host`,
          SCHEMA_REGISTRY_URL: `htps://user:${canaries.registry}@host`,
          MONGODB_URL: `mongo://user:${canaries.mongo}@host`,
          KAFKA_SASL_PASSWORD_FILE: canaries.kafka,
          HTTP_PORT: "x",
        },
        [`--pasword=${canaries.kafka}`],
      );
      expect(text).not.toMatch(forbidden);
      expect(code).toBe(64);
      expect(text).not.toMatch(/^\s+at /m);
    },
  );
});

test("a secret is recognised as such and in every base64", () => {
  for (const canary of Object.values(canaries)) {
    expect(canary).toMatch(forbidden);
    for (const user of ["", "u", "us", "user"]) {
      expect(btoa(`${user}:${canary}`)).toMatch(forbidden);
      expect(btoa(`${user}:password`)).not.toMatch(forbidden);
    }
  }
});
