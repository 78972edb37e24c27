import type { Socket } from "node:net";
import type { Broker, Call, Endpoint, Prepared } from "./api.ts";
import { opensConnection } from "./api-versions.ts";
import { concerns } from "./faults.ts";
import type { Fault, Faults } from "./faults.ts";
import { Frames } from "./frames.ts";
import type { Gate } from "./gate.ts";
import { WireReader, WireWriter } from "./wire.ts";

/** One line about something that happened; fields carry the values. */
export type BrokerLog = (message: string, fields: Readonly<Record<string, unknown>>) => void;

export type ConnectionPorts = {
  readonly broker: Broker;
  readonly endpoints: ReadonlyMap<number, Endpoint>;
  readonly faults: Faults;
  readonly gate: Gate;
  readonly log: BrokerLog;
};

/** Requests read ahead of the one being answered; then the socket is not read until they are worked off. */
const MAX_QUEUED_REQUESTS = 100;

/**
 * Answers one client. Requests of a connection are handled one after the other, as Kafka does (it mutes the channel):
 * responses are in order, and a long poll or join holds back what comes behind it. A request that cannot be read, or
 * has a version that ApiVersions does not list, closes the connection.
 */
export function serveConnection(socket: Socket, ports: ConnectionPorts): void {
  const gone = new AbortController();
  const frames = new Frames();
  const queue: Buffer[] = [];
  let working = false;
  const work = async (): Promise<void> => {
    working = true;
    for (let frame = queue.shift(); frame !== undefined; frame = queue.shift()) {
      await handleRequest(frame, socket, gone.signal, ports);
      if (queue.length < MAX_QUEUED_REQUESTS && socket.isPaused()) socket.resume();
    }
    working = false;
  };
  const fail = (error: unknown): void => {
    queue.length = 0;
    if (!socket.destroyed) ports.log("connection closed over a request", { error });
    socket.destroy();
  };
  socket.on("data", (chunk: Buffer) => {
    try {
      queue.push(...frames.push(chunk));
    } catch (error) {
      fail(error);
    }
    if (queue.length >= MAX_QUEUED_REQUESTS) socket.pause();
    if (!working) work().catch(fail);
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    queue.length = 0;
    gone.abort();
  });
}

/*
 * Request header:  api_key int16, api_version int16, correlation_id int32, client_id nullable_string (always classic),
 *                  tagged fields (flexible versions)
 * Response header: correlation_id int32, tagged fields (flexible versions)
 */
async function handleRequest(
  frame: Buffer,
  socket: Socket,
  signal: AbortSignal,
  ports: ConnectionPorts,
): Promise<void> {
  const shut = ports.gate.opened();
  if (shut !== undefined) await shut;
  const header = new WireReader(frame, false);
  const apiKey = header.int16();
  const version = header.int16();
  const correlationId = header.int32();
  const clientId = header.string();
  const endpoint = ports.endpoints.get(apiKey);
  if (endpoint === undefined || !answers(endpoint, version)) {
    throw new RangeError(`api key ${apiKey} version ${version} is not supported`);
  }
  const flexible = version >= (endpoint.flexibleFrom ?? Infinity);
  const input = new WireReader(frame, flexible, header.position);
  input.tags();
  const request = endpoint.prepare(input, version);
  const matched = ports.faults.match(apiKey, request.targets);
  await delay(matched, signal, ports.broker);
  if (signal.aborted) return;
  if (has(matched, "close-before")) {
    socket.destroy();
    return;
  }
  const out = new WireWriter(flexible);
  out.int32(correlationId).tags();
  const { broker } = ports;
  const clientHost = `/${socket.remoteAddress ?? ""}`;
  const injected = injectedBy(matched);
  await request.answer({ version, out, broker, clientId, clientHost, signal, injected });
  await respond(out, matched, request, socket, ports.gate);
}

function answers({ minVersion, maxVersion, key }: Endpoint, version: number): boolean {
  return opensConnection(key) || (version >= minVersion && version <= maxVersion);
}

async function respond(
  out: WireWriter,
  matched: readonly Fault[],
  request: Prepared,
  socket: Socket,
  gate: Gate,
): Promise<void> {
  const shut = gate.opened();
  if (shut !== undefined) await shut;
  if (has(matched, "close-after")) socket.destroy();
  if (request.silent || socket.destroyed || has(matched, "drop-response")) return;
  const size = Buffer.allocUnsafe(4);
  size.writeInt32BE(out.sizeBytes);
  socket.cork();
  socket.write(size);
  for (const piece of out.finish()) socket.write(piece);
  socket.uncork();
  if (socket.writableNeedDrain) await drained(socket);
}

/** A client that does not read its responses gets no further ones: they would pile up here. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      socket.off("drain", end).off("close", end);
      resolve();
    };
    socket.once("drain", end).once("close", end);
  });
}

function has(matched: readonly Fault[], action: Fault["action"]): boolean {
  return matched.some((fault) => fault.action === action);
}

function injectedBy(matched: readonly Fault[]): Call["injected"] {
  return (topic, partition) => {
    for (const fault of matched) {
      if (typeof fault.action !== "object" || !("errorCode" in fault.action)) continue;
      const named = fault.topic !== undefined || fault.partition !== undefined;
      if (!named || (topic !== undefined && concerns(fault, { topic, partition }))) {
        return fault.action.errorCode;
      }
    }
    return 0;
  };
}

async function delay(
  matched: readonly Fault[],
  signal: AbortSignal,
  broker: Broker,
): Promise<void> {
  let delayMs = 0;
  for (const { action } of matched) {
    if (typeof action === "object" && "delayMs" in action) delayMs += action.delayMs;
  }
  if (delayMs === 0) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = broker.clock.after(delayMs, end);
    signal.addEventListener("abort", end);
  });
}
