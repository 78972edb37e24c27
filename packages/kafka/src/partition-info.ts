import { StreamError } from "@adstream/engine/errors";
import type { PartitionInfo } from "@adstream/engine/ports";
// Node does not see ConfigResourceTypes among the exports of a CommonJS module; test runners do.
import kafkajs, { type Admin } from "kafkajs";

import { askAfterCall } from "./ask-after-call.ts";
import { connectWithRetry, type KafkaConnection } from "./connection.ts";
import { toStreamError } from "./error-map.ts";
import type { Log } from "./kafkajs-log.ts";

/** With what was noted at the group's committed offset; left out where nothing was. */
export type CommittedInfo = PartitionInfo & { readonly note?: string };

/** What the brokers say about one topic and one group's offsets in it. */
export type TopicReader = AsyncDisposable & {
  /** Compaction removes records, so gaps between offsets are no loss there. */
  readonly compacted: boolean;
  /**
   * Asked after the call, the end of the log last: no position that was reached or committed before the call lies behind
   * it. Callers at the same time share one set of requests.
   * @throws {StreamError} SERVER_UNAVAILABLE, TOPIC_MISSING, NOT_AUTHORIZED
   */
  describe(partition: number): Promise<CommittedInfo>;
};

export type TopicReaderOptions = {
  readonly kafka: KafkaConnection;
  readonly topic: string;
  readonly groupId: string;
  readonly log: Log;
  /** Ends waiting for brokers that cannot be reached. */
  readonly signal?: AbortSignal | undefined;
};

/**
 * @throws {StreamError} TOPIC_MISSING, NOT_AUTHORIZED
 * @throws the signal's reason when it aborts before a broker answers
 */
export async function openTopicReader(options: TopicReaderOptions): Promise<TopicReader> {
  const { kafka, topic, groupId } = options;
  const admin = kafka.admin();
  const asking = askAfterCall(() => describeAll(admin, topic, groupId));
  try {
    await connectWithRetry(() => admin.connect(), options);
    await partitionCount(admin, topic);
    const compacted = await readCompacted(admin, topic, options.log);
    return {
      compacted,
      async describe(partition) {
        const info = (await asking()).get(partition);
        if (info !== undefined) return info;
        throw new StreamError("TOPIC_MISSING", "stop", `${topic} has no partition ${partition}`);
      },
      [Symbol.asyncDispose]: () => admin.disconnect(),
    };
  } catch (error) {
    // Not waited for: an attempt to connect that was given up on goes on inside of kafkajs.
    if (options.signal?.aborted === true) void admin.disconnect().catch(() => {});
    else await admin.disconnect();
    options.signal?.throwIfAborted();
    throw missingTopic(error, topic);
  }
}

/**
 * How many partitions each of `topics` has.
 * @throws {StreamError} TOPIC_MISSING naming the first that does not exist
 */
export async function partitionCounts(
  kafka: KafkaConnection,
  topics: readonly string[],
): Promise<number[]> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const counts: number[] = [];
    for (const topic of topics) counts.push(await partitionCount(admin, topic));
    return counts;
  } finally {
    await admin.disconnect();
  }
}

async function describeAll(
  admin: Admin,
  topic: string,
  groupId: string,
): Promise<ReadonlyMap<number, CommittedInfo>> {
  try {
    const [{ clusterId }, partitions, committed] = await Promise.all([
      admin.describeCluster(),
      partitionCount(admin, topic),
      admin.fetchOffsets({ groupId, topics: [topic] }),
    ]);
    // Last: one answer may be seconds older than another, and an end from before a commit looks like another log.
    const offsets = await admin.fetchTopicOffsets(topic);
    const committedOf = new Map(
      committed.flatMap((one) => one.partitions.map((p) => [p.partition, p])),
    );
    return new Map(
      offsets.map(({ partition, low, high }): [number, CommittedInfo] => {
        const { offset: text = "-1", metadata = null } = committedOf.get(partition) ?? {};
        const info = { clusterId, topic, partitions, low: Number(low), high: Number(high) };
        // Below 0 are "none" and kafkajs' resets to the earliest or latest offset.
        const offset = Number(text);
        if (offset < 0) return [partition, { ...info, committed: undefined }];
        const note = metadata === null || metadata === "" ? {} : { note: metadata };
        return [partition, { ...info, committed: offset, ...note }];
      }),
    );
  } catch (error) {
    throw missingTopic(error, topic);
  }
}

async function partitionCount(admin: Admin, topic: string): Promise<number> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length ?? 0;
  } catch (error) {
    throw missingTopic(error, topic);
  }
}

async function readCompacted(admin: Admin, topic: string, log: Log): Promise<boolean> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ["cleanup.policy"] },
      ],
    });
    const policy = resources[0]?.configEntries.find(
      (entry) => entry.configName === "cleanup.policy",
    );
    return policy?.configValue.includes("compact") === true;
  } catch (error) {
    // Reading settings is a right of its own; without it the stricter rule holds.
    const { code } = toStreamError(error, `reading the settings of ${topic}`);
    log.debug({ topic, code }, "topic settings not readable, taken as not compacted");
    return false;
  }
}

function missingTopic(error: unknown, topic: string): StreamError {
  const mapped = toStreamError(error, `reading ${topic}`);
  if (mapped.code !== "TOPIC_MISSING") return mapped;
  const text = `topic ${topic} does not exist: create it with "pnpm topics create"`;
  return new StreamError("TOPIC_MISSING", "stop", text, { cause: error });
}
