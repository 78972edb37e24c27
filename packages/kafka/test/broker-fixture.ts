import { randomUUID } from "node:crypto";

import { startKafka, type KafkaServer } from "@adstream/devstack/kafka/server";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import type { Log } from "@adstream/kafka/kafkajs-log";

/** Lines logged so far, as "level message {fields}". */
export function memoryLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export type Fixture = AsyncDisposable & {
  readonly broker: KafkaServer;
  readonly kafka: KafkaConnection;
  readonly log: Log & { readonly lines: string[] };
  /** Creates a topic of its own name. */
  topic(partitions?: number, config?: Record<string, string>): Promise<string>;
  /** Every record of the topic as "partition:offset key=value", read by the stock consumer. */
  records(topic: string): Promise<string[]>;
};

export async function startFixture(): Promise<Fixture> {
  const broker = await startKafka({ minSessionTimeoutMs: 500 });
  const log = memoryLog();
  const kafka = connect(broker.brokers, log);
  const admin = kafka.admin();
  await admin.connect();
  return {
    broker,
    kafka,
    log,
    async topic(partitions = 1, config = {}) {
      const topic = `t-${randomUUID().slice(0, 8)}`;
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] });
      return topic;
    },
    async records(topic) {
      const offsets = await admin.fetchTopicOffsets(topic);
      const wanted = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
      const found = await readAll(kafka, topic, wanted);
      return found.toSorted();
    },
    async [Symbol.asyncDispose]() {
      await admin.disconnect();
      await broker.close();
    },
  };
}

export function connect(brokers: string, log: Log): KafkaConnection {
  return connectKafka(
    { brokers: brokers.split(","), clientId: "test", securityProtocol: "PLAINTEXT" },
    log,
  );
}

async function readAll(kafka: KafkaConnection, topic: string, wanted: number): Promise<string[]> {
  const found: string[] = [];
  const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 50 });
  const { promise, resolve } = Promise.withResolvers<void>();
  if (wanted === 0) resolve();
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ partition, message }) => {
      const { offset, key, value } = message;
      found.push(`${partition}:${offset} ${String(key)}=${String(value)}`);
      if (found.length >= wanted) resolve();
      return Promise.resolve();
    },
  });
  await promise;
  await consumer.disconnect();
  return found;
}

/** Waits until `condition` holds, looking every 10 ms. */
export async function until(condition: () => boolean, whatMs = 15_000): Promise<void> {
  const end = performance.now() + whatMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not so: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
