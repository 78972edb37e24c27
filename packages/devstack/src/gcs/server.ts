import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { listenHttp } from "../listen.ts";
import { Buckets } from "./buckets.ts";
import { type GcsFaultAction, GcsFaults } from "./faults.ts";
import { errorReply, type GcsReply, type GcsRequest, requestOf, take } from "./routes.ts";

/** All optional: an ephemeral port on loopback, no buckets. */
export type GcsOptions = {
  readonly host?: string | undefined;
  /** 0, the default, is any free port. */
  readonly port?: number | undefined;
  readonly buckets?: readonly string[] | undefined;
};

/** A running server. */
export type GcsServer = AsyncDisposable & {
  /** What clients take as API endpoint, or as STORAGE_EMULATOR_HOST. */
  readonly url: string;
  readonly port: number;
  /** Everything in it, to look at and to break. */
  readonly buckets: Buckets;
  readonly faults: GcsFaults;
  /** Requests received so far, "operation bucket/name" each. */
  readonly requests: readonly string[];
  close(): Promise<void>;
};

/** Larger than any upload in one request should be. */
const maxBodyBytes = 256 * 2 ** 20;

/**
 * Starts a Google Cloud Storage server, kept in memory, for tests: no authentication, and faults on demand.
 *
 * @throws Error EADDRINUSE when the port is taken
 */
export async function startGcs(options: GcsOptions = {}): Promise<GcsServer> {
  const { host = "127.0.0.1", port = 0 } = options;
  const buckets = new Buckets();
  for (const bucket of options.buckets ?? []) buckets.create(bucket);
  const faults = new GcsFaults();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    answer({ buckets, faults, requests }, request, response).catch(() => response.destroy());
  });
  const listening = await listenHttp(server, host, port);
  return { ...listening, buckets, faults, requests };
}

type Running = Pick<GcsServer, "buckets" | "faults"> & { readonly requests: string[] };

async function answer(
  running: Running,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let asked: GcsRequest;
  try {
    asked = requestOf(request.method ?? "GET", new URL(request.url ?? "/", "http://gcs"));
  } catch (error) {
    send(response, errorReply(error));
    return;
  }
  running.requests.push(`${asked.operation} ${asked.bucket}/${asked.name}`);
  const fault = running.faults.match(asked.operation, asked.name);
  await (fault === undefined
    ? answerSoundly(running, asked, request, response)
    : answerWith(fault, running, asked, request, response));
}

async function answerSoundly(
  { buckets }: Running,
  asked: GcsRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  send(response, effect(buckets, asked, request, body));
}

function effect(
  buckets: Buckets,
  asked: GcsRequest,
  request: IncomingMessage,
  body: Buffer,
): GcsReply {
  try {
    return take(buckets, asked, request.headers["content-type"] ?? "", body);
  } catch (error) {
    return errorReply(error);
  }
}

async function answerWith(
  fault: GcsFaultAction,
  running: Running,
  asked: GcsRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { buckets, faults } = running;
  if (fault === "refuse") return void response.destroy();
  if (typeof fault === "object" && "delayMs" in fault) {
    await sleep(fault.delayMs);
    return answerSoundly(running, asked, request, response);
  }
  const uploading = asked.operation === "upload";
  if (typeof fault === "object" && "cutAfterBytes" in fault && uploading) {
    await readBody(request, fault.cutAfterBytes);
    return void response.destroy();
  }
  const body = await readBody(request);
  if (fault === "hang") return;
  if (fault === "late") return faults.delay(() => void effect(buckets, asked, request, body));
  if (fault === "lose-response") {
    effect(buckets, asked, request, body);
    return void response.destroy();
  }
  if ("status" in fault) {
    const error = { code: fault.status, message: "scripted", errors: [] };
    const text = Buffer.from(JSON.stringify({ error }));
    return send(response, { status: fault.status, headers: {}, body: text });
  }
  if ("flipBit" in fault && uploading) {
    return send(response, effect(buckets, asked, request, flipped(body, fault.flipBit)));
  }
  const reply = effect(buckets, asked, request, body);
  if ("flipBit" in fault) {
    return send(response, { ...reply, body: flipped(reply.body, fault.flipBit) });
  }
  if ("cutAfterBytes" in fault) return cutShort(response, reply, fault.cutAfterBytes);
}

/** Reads the whole body, or as much of it as is asked for. */
async function readBody(request: IncomingMessage, untilBytes = Infinity): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue;
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error(`body of more than ${maxBodyBytes} bytes`);
    chunks.push(Buffer.from(chunk));
    if (bytes >= untilBytes) break;
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, { status, headers, body }: GcsReply): void {
  response.writeHead(status, { ...headers, "Content-Length": body.length });
  response.end(body);
}

function cutShort(response: ServerResponse, { status, headers, body }: GcsReply, at: number): void {
  response.writeHead(status, { ...headers, "Content-Length": body.length });
  response.write(body.subarray(0, at), () => response.destroy());
}

/** The body with one bit changed, counted from its end: in an upload the boundary is there, and the content before it. */
function flipped(body: Buffer, bit: number): Buffer {
  const changed = Buffer.from(body);
  const at = Math.max(0, changed.length - 1 - (bit >> 3));
  changed.writeUInt8(changed.readUInt8(at) ^ (1 << (bit & 7)), at);
  return changed;
}
