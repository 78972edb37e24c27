import { adEventSchema } from "@adstream/contracts/ad-event";
import { valueSubject } from "@adstream/contracts/topics";
import avro from "avsc";
import kafkajs, { type Admin } from "kafkajs";
import { adEvents, adName, type EventChunk, type EventOptions, spanMs } from "./ad-events.ts";
import type { Codec } from "./codecs.ts";
import { defaultWindow, Oracle, type OracleWindow, type WindowSums } from "./oracle.ts";
import { type Produce, ProduceSocket } from "./produce-socket.ts";
import { BatchBuilder, type ValueWriter } from "./record-batches.ts";
import { registerSchema } from "./topics.ts";

export type FillOptions = EventOptions & {
  readonly admin: Admin;
  readonly topic: string;
  readonly partitions: number;
  readonly codec: Codec;
  /** Of the events' schema. */
  readonly schemaId: number;
  /** What the processor will count by; its default unless said. */
  readonly window?: OracleWindow;
};

export type Filled = {
  /** What a right consumer finds in each closed window. */
  readonly expected: ReadonlyMap<string, WindowSums>;
  readonly records: number;
  readonly bytes: number;
  /** Of the last one, epoch ms. */
  readonly lastTime: number;
};

/** Ads of the closing records; their windows stay open. */
export const closingAd = "__close";

/** How far behind the last event the closing records are. */
function closingMs({ sizeMs }: OracleWindow): number {
  return sizeMs + 540_000;
}

/** The latest record of all lies this far before now, at least. */
const pastMs = 300_000;

/** Makes a topic for events. @returns what else `fillTopic` must know: the id of their schema, and when they begin */
export async function prepareTopic(
  options: Pick<FillOptions, "admin" | "topic" | "partitions" | "events" | "window">,
  registryUrl: string,
): Promise<Pick<FillOptions, "schemaId" | "startMs">> {
  const { admin, topic, partitions, events, window = defaultWindow } = options;
  const configEntries = [{ name: "message.timestamp.type", value: "CreateTime" }];
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic, numPartitions: partitions, configEntries }],
  });
  const schemaId = await registerSchema(registryUrl, valueSubject(topic));
  // Brokers refuse timestamps ahead of their clock.
  const latestMs = Date.now() - spanMs(events) - closingMs(window) - pastMs;
  return { schemaId, startMs: Math.floor(latestMs / window.sizeMs) * window.sizeMs };
}

/** Fills a topic that is there and empty, with a last record in each partition that closes all windows. */
export async function fillTopic(options: FillOptions): Promise<Filled> {
  const { expected, records, bytes, lastTime } = await fillEvents(options);
  const closing = await closeWindows(options, lastTime);
  return { expected, records: records + closing.records, bytes: bytes + closing.bytes, lastTime };
}

/** Events alone, keyed by ad and partitioned as kafkajs and Java do it; their last windows stay open. */
export async function fillEvents(options: FillOptions): Promise<Filled> {
  await using sockets = await openSockets(options);
  const { topic, partitions, codec, events } = options;
  const oracle = new Oracle(options.ads, options.window);
  const writeValue = valueWriter(options.schemaId);
  const keys = adKeys(options.ads);
  const partitionOf = adPartitions(options);
  const builders = Array.from({ length: partitions }, () => new BatchBuilder(codec));
  let bytes = 0;
  let ready: Produce[] = [];
  const take = (partition: number, builder: BatchBuilder): void => {
    const batch = builder.take();
    bytes += batch.length;
    ready.push({ topic, partition, batch });
  };
  let lastTime = options.startMs;
  for (const chunk of adEvents(options)) {
    oracle.count(chunk);
    for (let row = 0; row < chunk.count; row++) {
      const ad = chunk.ad[row] ?? 0;
      const partition = partitionOf[ad] ?? 0;
      const builder = builders[partition];
      const key = keys[ad];
      if (builder === undefined || key === undefined) continue;
      builder.add(key, chunk, row, writeValue);
      if (builder.full) take(partition, builder);
    }
    lastTime = chunk.logTime[chunk.count - 1] ?? lastTime;
    for (const produce of ready) await sockets.send(produce);
    ready = [];
  }
  for (const [partition, builder] of builders.entries()) {
    if (builder.count > 0) take(partition, builder);
  }
  for (const produce of ready) await sockets.send(produce);
  await sockets.flush();
  await assertKept(options.admin, topic, events);
  return { expected: oracle.rows(), records: events, bytes, lastTime };
}

/** Sends each partition a record so late that every window before it closes. @param lastTime of the events, epoch ms */
export async function closeWindows(
  options: FillOptions,
  lastTime: number,
): Promise<Pick<Filled, "records" | "bytes">> {
  await using sockets = await openSockets(options);
  const { topic, partitions, codec, schemaId, window = defaultWindow } = options;
  const addClosing = closingRecord(schemaId, lastTime + closingMs(window));
  let bytes = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const builder = new BatchBuilder(codec);
    addClosing(builder);
    const batch = builder.take();
    bytes += batch.length;
    await sockets.send({ topic, partition, batch });
  }
  await sockets.flush();
  return { records: partitions, bytes };
}

/** @throws {Error} when the broker has let go of records by now: no client could read them all */
async function assertKept(admin: Admin, topic: string, records: number): Promise<void> {
  const offsets = await admin.fetchTopicOffsets(topic);
  const kept = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  if (kept === records) return;
  throw new Error(
    `${topic}: the broker keeps ${kept} of ${records} records; use fewer --events, or a broker that retains more`,
  );
}

/** Confluent's frame and the Avro datum, by avsc: what other people's producers write. */
export function valueWriter(schemaId: number, name: (ad: number) => string = adName): ValueWriter {
  const type = avro.Type.forSchema(JSON.parse(adEventSchema));
  const names = new Map<number, string>();
  const nameOf = (ad: number): string => {
    const known = names.get(ad) ?? name(ad);
    names.set(ad, known);
    return known;
  };
  return (into, { ad, time, clicks, views, cents }, row) => {
    into[0] = 0;
    into.writeUInt32BE(schemaId, 1);
    const event = {
      ad_id: nameOf(ad[row] ?? 0),
      timestamp: time[row] ?? 0,
      clicks: clicks[row] ?? 0,
      views: views[row] ?? 0,
      cost: (cents[row] ?? 0) / 100,
      event_id: null,
    };
    return type.encode(event, into, 5);
  };
}

/** @returns what adds to a batch a record of the ad that nobody counts, at `time`, epoch ms */
export function closingRecord(schemaId: number, time: number): (into: BatchBuilder) => void {
  const key = Buffer.from(closingAd);
  const chunk = closingChunk(time);
  const write = valueWriter(schemaId, () => closingAd);
  return (into) => into.add(key, chunk, 0, write);
}

function closingChunk(time: number): EventChunk {
  const zero = Int32Array.of(0);
  return {
    count: 1,
    ad: zero,
    time: Float64Array.of(time),
    logTime: Float64Array.of(time),
    clicks: zero,
    views: zero,
    cents: zero,
  };
}

export function adKeys(ads: number): Buffer[] {
  return Array.from({ length: ads }, (_, ad) => Buffer.from(adName(ad)));
}

export function adPartitions({
  topic,
  ads,
  partitions,
}: Pick<FillOptions, "topic" | "ads" | "partitions">): Int32Array {
  const partition = kafkajs.Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return Int32Array.from(adKeys(ads), (key) =>
    partition({ topic, partitionMetadata, message: { key, value: null } }),
  );
}

export type Sockets = AsyncDisposable & {
  send(produce: Produce): Promise<void>;
  /** In one request to each leader. */
  sendTogether(produces: readonly Produce[]): Promise<void>;
  flush(): Promise<void>;
};

/** A socket to each leader. */
export async function openSockets({
  admin,
  topic,
}: Pick<FillOptions, "admin" | "topic">): Promise<Sockets> {
  const { brokers } = await admin.describeCluster();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const open = new Map<number, ProduceSocket>();
  const byPartition = new Map<number, ProduceSocket>();
  for (const { partitionId, leader } of topics[0]?.partitions ?? []) {
    const broker = brokers.find(({ nodeId }) => nodeId === leader);
    if (broker === undefined) throw new Error(`${topic} partition ${partitionId} has no leader`);
    const socket = open.get(leader) ?? (await ProduceSocket.open(broker.host, broker.port));
    open.set(leader, socket);
    byPartition.set(partitionId, socket);
  }
  return {
    async send(produce) {
      await byPartition.get(produce.partition)?.send(produce);
    },
    async sendTogether(produces) {
      const byLeader = Map.groupBy(produces, ({ partition }) => byPartition.get(partition));
      for (const [socket, theirs] of byLeader) await socket?.send(...theirs);
    },
    async flush() {
      for (const socket of open.values()) await socket.flush();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open.values()) socket[Symbol.dispose]();
    },
  };
}
