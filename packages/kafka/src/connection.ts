import { readFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import type { ConnectionOptions } from "node:tls";

import { StreamError } from "@adstream/engine/errors";
import { Kafka, logLevel, type KafkaConfig, type SASLOptions } from "kafkajs";

import { toStreamError } from "./error-map.ts";
import { kafkajsLog, type Log } from "./kafkajs-log.ts";
import { FrameBuffers } from "./frame-buffers.ts";
import { frameSocket } from "./frame-socket.ts";

export type KafkaSettings = {
  /** "host:port" */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly securityProtocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  readonly sasl?: {
    readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
    readonly username: string;
    readonly password: string;
  };
  /** PEM; without it the system's authorities count. */
  readonly caFile?: string;
};

/** A kafkajs client that knows its bootstrap brokers. Nothing is connected yet: consumers and producers connect. */
export type KafkaConnection = Kafka & Bootstrap & { readonly buffers: FrameBuffers };
type Bootstrap = { readonly brokers: readonly string[]; readonly encrypted: boolean };

/**
 * Brokers may be away for two minutes, as long as what is published waits for its acknowledgement, and are noticed
 * within 5 s of their return. After that the client ends its user: a new process begins cleanly.
 */
export const clientRetry = { initialRetryTime: 300, maxRetryTime: 5_000, retries: 28 } as const;
const retryFromMs = 1_000;
const retryToMs = 10_000;
const connectionTimeoutMs = 5_000;

/**
 * @throws {StreamError} NOT_AUTHORIZED when the settings would send a password in the clear, or lack one, or the CA file
 *   cannot be read
 */
export function connectKafka(settings: KafkaSettings, log: Log): KafkaConnection {
  const { brokers, clientId } = settings;
  const ssl = sslOptions(settings);
  const sasl = saslOptions(settings);
  const buffers = new FrameBuffers();
  const config: KafkaConfig = {
    brokers: [...brokers],
    clientId,
    ssl,
    ...(sasl === undefined ? {} : { sasl }),
    socketFactory: (options) => frameSocket(options, buffers),
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: 30_000,
    enforceRequestTimeout: true,
    retry: clientRetry,
    logLevel: logLevel.WARN,
    logCreator: kafkajsLog(log, brokers),
  };
  return Object.assign(new Kafka(config), { brokers, encrypted: ssl !== false, buffers });
}

function sslOptions({ securityProtocol, caFile }: KafkaSettings): boolean | ConnectionOptions {
  if (!securityProtocol.endsWith("SSL")) return false;
  if (caFile === undefined) return true;
  try {
    return { ca: [readFileSync(caFile, "utf8")] };
  } catch (cause) {
    const text = `the CA file of Kafka, ${caFile}, cannot be read`;
    throw new StreamError("NOT_AUTHORIZED", "stop", text, { cause });
  }
}

function saslOptions({ securityProtocol, sasl, brokers }: KafkaSettings): SASLOptions | undefined {
  if (!securityProtocol.startsWith("SASL")) return undefined;
  if (sasl === undefined) {
    throw new StreamError(
      "NOT_AUTHORIZED",
      "stop",
      `${securityProtocol} needs a username and a password`,
    );
  }
  const open = brokers.find((broker) => !loopback(hostOf(broker)));
  if (securityProtocol === "SASL_PLAINTEXT" && open !== undefined) {
    const text = `SASL_PLAINTEXT would send the password to ${open} unencrypted: use SASL_SSL`;
    throw new StreamError("NOT_AUTHORIZED", "stop", text);
  }
  const { mechanism, username, password } = sasl;
  // One literal each: kafkajs' type ties the name to the fields.
  if (mechanism === "PLAIN") return { mechanism: "plain", username, password };
  if (mechanism === "SCRAM-SHA-256") return { mechanism: "scram-sha-256", username, password };
  return { mechanism: "scram-sha-512", username, password };
}

/**
 * Calls `connect` until it succeeds, waiting 1 to 10 s in between. Brokers that do not even accept a socket are named
 * in one log line, and kafkajs is not asked before one does: its attempts are noisy and cannot be aborted.
 *
 * @throws {StreamError} what does not get better by waiting
 * @throws the signal's reason when it aborts first; an attempt under way is left to end by itself
 */
export async function connectWithRetry(
  connect: () => Promise<void>,
  { kafka, log, signal }: { kafka: KafkaConnection; log: Log; signal?: AbortSignal | undefined },
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    try {
      await unlessAborted(connectOnce(connect, kafka), signal);
      return;
    } catch (error) {
      // What a connection given up on says is of no interest any more.
      signal?.throwIfAborted();
      const failure = toStreamError(error, "connecting to Kafka");
      if (failure.disposition !== "retry") throw failure;
      const delayMs = Math.min(retryToMs, retryFromMs * 2 ** attempt);
      const fields = { KAFKA_BROKERS: kafka.brokers.join(","), reason: failure.message, delayMs };
      log.warn(fields, "kafka was not reachable, retrying");
      await abortableSleep(delayMs, signal);
    }
  }
}

/** Waits for `work`, or rejects when the signal aborts; kafkajs' attempts cannot be cancelled. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function over(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/**
 * One attempt; where a broker takes the connection and no more, kafkajs gives up after about two minutes.
 * @throws {StreamError} SERVER_UNAVAILABLE (retry) naming the brokers, NOT_AUTHORIZED
 */
export async function connectOnce(
  connect: () => Promise<void>,
  { brokers, encrypted }: Bootstrap,
): Promise<void> {
  try {
    await Promise.any(brokers.map((broker) => answersAsKafka(broker, encrypted)));
    await connect();
  } catch (error) {
    const doing = `connecting to Kafka at ${brokers.join(",")} (KAFKA_BROKERS)`;
    throw toStreamError(error instanceof AggregateError ? error.errors[0] : error, doing);
  }
}

/** ApiVersions version 0, which every broker answers to everybody: size, API key 18, version, correlation id, no client id. */
const hello = Buffer.of(0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/**
 * Whether anybody is there, and answers. kafkajs waits for 30 s where a port takes connections and says nothing, and
 * fails then without saying why. An encrypted port is only tried for its socket.
 * @throws {StreamError} SERVER_UNAVAILABLE
 */
function answersAsKafka(broker: string, encrypted: boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const host = hostOf(broker);
  const socket = connectSocket({ host, port: Number(broker.slice(broker.lastIndexOf(":") + 1)) });
  const unavailable = (reason: string): void => {
    const text = `Kafka is not reachable at ${broker} (KAFKA_BROKERS): ${reason}`;
    reject(new StreamError("SERVER_UNAVAILABLE", "retry", text));
  };
  let connected = false;
  socket.setTimeout(connectionTimeoutMs, () =>
    unavailable(connected ? "it takes connections and does not answer" : "timeout"),
  );
  socket.once("error", (error: NodeJS.ErrnoException) => unavailable(error.code ?? error.name));
  socket.once("close", () => unavailable("it closes connections"));
  socket.once("connect", () => {
    connected = true;
    if (encrypted) resolve();
    else socket.write(hello);
  });
  // Whatever it is, kafkajs reads it better.
  socket.once("data", () => resolve());
  return promise.finally(() => socket.destroy());
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function abortableSleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (over(signal)) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}

/** Host of "host:port" or "[::1]:port". */
function hostOf(broker: string): string {
  return broker.slice(0, broker.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function loopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
