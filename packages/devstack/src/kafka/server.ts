/*
 * A Kafka broker for development and tests, in this process: one node, over the real wire protocol, in memory or in a
 * data directory. One file per API key holds its layout and versions; the shape is that of franz-go's kfake.
 *
 * Serves kafkajs, librdkafka and the Java clients of Apache Kafka 4.1 (classic group protocol).
 *
 * What it is not:
 * - No transactions (InitProducerId with a transactional id and the transaction coordinator are refused with
 *   UNSUPPORTED_VERSION), no new group protocol (KIP-848), no share groups, no authentication, no TLS, no quotas.
 *   What is missing is missing in ApiVersions, so that clients refuse it themselves or fall back.
 * - One broker, replication factor 1, leader epoch 0 for ever. No topic ids.
 * - Nothing is compacted and nothing expires by time. Memory is bounded by `retentionBytes` per partition (256 MiB):
 *   beyond it the oldest batches go and the log start moves.
 * - Committed offsets never expire. Groups do not survive a restart, their offsets do (with a data directory).
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { lockDirectory } from "../lock-directory.ts";
import type { Broker } from "./api.ts";
import { systemClock } from "./clock.ts";
import type { BrokerClock } from "./clock.ts";
import { serveConnection } from "./connection.ts";
import type { BrokerLog } from "./connection.ts";
import { endpoints } from "./endpoints.ts";
import { Faults } from "./faults.ts";
import { Gate } from "./gate.ts";
import { Groups } from "./groups.ts";
import { CommittedOffsets } from "./offsets.ts";
import { FIRST_PRODUCER_ID, Storage } from "./storage.ts";
import { Topics } from "./topics.ts";

export type KafkaOptions = {
  /** Address to listen on and to tell clients; 127.0.0.1 when left out. */
  readonly host?: string;
  /** 0, the default: any free port. */
  readonly port?: number;
  /** Keeps topics, records, committed offsets and the cluster id over a restart; in memory when left out. */
  readonly dataDirectory?: string;
  readonly topicDefaults?: { readonly partitions?: number };
  /** Creates unknown topics when a client asks for their metadata. Off: UNKNOWN_TOPIC_OR_PARTITION. */
  readonly autoCreateTopics?: boolean;
  /** Per partition, 256 MiB when left out: beyond it the oldest batches are dropped. */
  readonly retentionBytes?: number;
  /** Shorter session time-outs are refused with error 26; 6000 when left out, as in Kafka. */
  readonly minSessionTimeoutMs?: number;
  /** How long the first member of a group waits for others; 0 when left out (Kafka's own default is 3 s). */
  readonly initialRebalanceDelayMs?: number;
  /** Faults from the first request on. */
  readonly faults?: Faults;
  readonly log?: BrokerLog;
  readonly clock?: BrokerClock;
};

export type KafkaServer = AsyncDisposable & {
  readonly host: string;
  readonly port: number;
  /** host:port, as clients want it. */
  readonly brokers: string;
  readonly clusterId: string;
  readonly faults: Faults;
  /** Cuts every connection; clients may connect again at once. */
  disconnectAll(): void;
  /** Stops looking at requests and sending answers; connections stay open and can still be made. */
  freeze(): void;
  /** Goes on with everything that was held. */
  thaw(): void;
  /** Cuts every connection and frees the port. Calling it again waits for the same end. */
  close(): Promise<void>;
};

const DEFAULT_RETENTION_BYTES = 256 * 1024 * 1024;
/** Kafka's group.min.session.timeout.ms and group.max.session.timeout.ms. */
const MIN_SESSION_TIMEOUT_MS = 6000;
const MAX_SESSION_TIMEOUT_MS = 1_800_000;
const PRODUCER_ID_BLOCK = 1000;

/**
 * Starts a broker.
 * @throws {Error} EADDRINUSE and other codes of listen(2); ELOCKED when another process has the data directory
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const host = options.host ?? "127.0.0.1";
  const faults = options.faults ?? new Faults();
  const gate = new Gate();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true });
  await using opening = new AsyncDisposableStack();
  const storage = openStorage(options.dataDirectory, opening);
  opening.defer(() => closeServer(server, sockets));
  const port = await listen(server, host, options.port ?? 0);
  const broker = createBroker(options, storage, { host, port });
  opening.defer(() => broker.groups.close());
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serveConnection(socket, { broker, endpoints, faults, gate, log: options.log ?? warn });
  });
  const resources = opening.move();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= resources.disposeAsync());
  return {
    host,
    port,
    brokers: `${host}:${port}`,
    clusterId: broker.clusterId,
    faults,
    disconnectAll: () => disconnect(sockets),
    freeze: () => gate.shut(),
    thaw: () => gate.open(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not a TCP socket");
  return address.port;
}

async function closeServer(server: Server, sockets: Iterable<Socket>): Promise<void> {
  if (!server.listening) return;
  const ended = once(server, "close");
  server.close();
  disconnect(sockets);
  await ended;
}

function disconnect(sockets: Iterable<Socket>): void {
  for (const socket of sockets) socket.destroy();
}

function openStorage(
  directory: string | undefined,
  opening: AsyncDisposableStack,
): Storage | undefined {
  if (directory === undefined) return undefined;
  opening.use(lockDirectory(directory));
  const storage = new Storage(directory, newClusterId());
  opening.defer(() => storage.close());
  return storage;
}

function createBroker(
  options: KafkaOptions,
  storage: Storage | undefined,
  address: { readonly host: string; readonly port: number },
): Broker {
  const clock = options.clock ?? systemClock;
  const topics = new Topics(options.retentionBytes ?? DEFAULT_RETENTION_BYTES, storage);
  for (const { name, configs, logStarts } of storage?.topics ?? []) {
    topics.restore(name, logStarts, new Map(Object.entries(configs)));
  }
  const record = storage?.recordOffset.bind(storage) ?? ((): void => {});
  const limits = {
    minSessionTimeoutMs: options.minSessionTimeoutMs ?? MIN_SESSION_TIMEOUT_MS,
    maxSessionTimeoutMs: MAX_SESSION_TIMEOUT_MS,
    initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? 0,
  };
  return {
    ...address,
    nodeId: 1,
    clusterId: storage?.clusterId ?? newClusterId(),
    topics,
    groups: new Groups(clock, limits, new CommittedOffsets(record, storage?.offsets)),
    clock,
    defaultPartitions: options.topicDefaults?.partitions ?? 1,
    autoCreateTopics: options.autoCreateTopics ?? false,
    nextProducerId: producerIds(storage),
  };
}

/** 22 characters, as Kafka's own. */
function newClusterId(): string {
  return randomBytes(16).toString("base64url");
}

function producerIds(storage: Storage | undefined): () => number {
  let next = FIRST_PRODUCER_ID;
  let left = storage === undefined ? Infinity : 0;
  return () => {
    if (left === 0 && storage !== undefined) {
      next = storage.reserveProducerIds(PRODUCER_ID_BLOCK);
      left = PRODUCER_ID_BLOCK;
    }
    left -= 1;
    next += 1;
    return next - 1;
  };
}

function warn(message: string, fields: Readonly<Record<string, unknown>>): void {
  process.emitWarning(`kafka: ${message}: ${String(fields["error"])}`);
}
