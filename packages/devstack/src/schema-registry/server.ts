import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listenHttp } from "../listen.ts";
import { RegistryError } from "./registry-error.ts";
import { route } from "./routes.ts";
import { loadState, saveState } from "./state-file.ts";
import type { RegistryState } from "./subjects.ts";

/** All optional: an ephemeral port on loopback, no authentication. */
export type SchemaRegistryOptions = {
  readonly host?: string | undefined;
  /** 0, the default, is any free port. */
  readonly port?: number | undefined;
  /** With a password, every request needs basic authentication. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Keeps schemas, subjects and levels across restarts, so that ids in topics stay true. */
  readonly file?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
};

/** What every request gets instead of its answer: a status, or nothing at all. */
export type Outage = { readonly status: number } | "hang" | null;

/** A running registry. */
export type SchemaRegistryServer = AsyncDisposable & {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Requests received so far, those in an outage included. */
  readonly requestCount: number;
  /** Starts an outage, or ends it with null: requests that hang then get their answer. */
  setOutage(outage: Outage): void;
  close(): Promise<void>;
};

const contentType = "application/vnd.schemaregistry.v1+json";

/** Schemas are small; a larger body is a mistake. */
const maxBodyBytes = 16 * 1024 * 1024;

/**
 * Starts a Confluent schema registry for Avro, kept in memory.
 *
 * @throws Error EADDRINUSE when the port is taken
 */
export async function startSchemaRegistry(
  options: SchemaRegistryOptions = {},
): Promise<SchemaRegistryServer> {
  const { host = "127.0.0.1", port = 0, log = (): void => {} } = options;
  const state = loadState(options.file);
  const faults: { outage: Outage; waiting: (() => void)[] } = { outage: null, waiting: [] };
  let requestCount = 0;
  const server = createServer((request, response) => {
    requestCount++;
    const proceed = (): void => {
      answer(state, options, request, response).catch((error: unknown) => {
        log(`schema registry: ${request.method} ${request.url} ended: ${String(error)}`);
        response.destroy();
      });
    };
    if (faults.outage === "hang") faults.waiting.push(proceed);
    else if (faults.outage === null) proceed();
    else
      send(response, faults.outage.status, { error_code: faults.outage.status, message: "outage" });
  });
  const listening = await listenHttp(server, host, port);
  return {
    ...listening,
    host,
    get requestCount() {
      return requestCount;
    },
    setOutage(outage) {
      faults.outage = outage;
      if (outage === null) for (const proceed of faults.waiting.splice(0)) proceed();
    },
  };
}

async function answer(
  state: RegistryState,
  options: SchemaRegistryOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    authenticate(options, request);
    const body = await readJson(request);
    const url = new URL(request.url ?? "/", "http://registry");
    const reply = route(state, request.method ?? "GET", url, body);
    if (request.method !== "GET" && options.file !== undefined) saveState(options.file, state);
    send(response, 200, reply);
  } catch (error) {
    const failure = asRegistryError(error);
    if (failure.status === 401)
      response.setHeader("WWW-Authenticate", 'Basic realm="schema-registry"');
    send(response, failure.status, { error_code: failure.errorCode, message: failure.message });
  }
}

function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  if (error instanceof URIError) return new RegistryError(400, error.message); // a bad %-sequence in the path
  return new RegistryError(50001, error instanceof Error ? error.message : String(error));
}

function authenticate(
  { username = "", password }: SchemaRegistryOptions,
  request: IncomingMessage,
): void {
  if (password === undefined) return;
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  if (request.headers.authorization !== expected) throw new RegistryError(401, "Unauthorized");
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue;
    bytes += chunk.length;
    if (bytes > maxBodyBytes)
      throw new RegistryError(413, `body of more than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text.trim() === "") return {};
  return parseObject(text);
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new RegistryError(400, "the body is not JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new RegistryError(422, "the body is not a JSON object");
  }
  return { ...json };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": contentType });
  response.end(JSON.stringify(body));
}
