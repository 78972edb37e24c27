import { randomUUID } from "node:crypto";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { redriveHeaders } from "@adstream/contracts/dead-letter";
import { valueSubject } from "@adstream/contracts/topics";
import { type Devstack, startDevstack } from "@adstream/devstack/start-devstack";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import { type DeadLetter, deadLetterRecord } from "@adstream/kafka/dead-letter-record";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { createTopics } from "@adstream/kafka/topics";
import { openLog } from "@adstream/service/log";
import { readTopic } from "@adstream/verify/recount-topic";
import { type DlqProcess, runDlq } from "../dlq/run-dlq.ts";

export const noon = Date.UTC(2026, 0, 31, 12);

type Servers = {
  readonly devstack: Devstack;
  readonly kafka: KafkaConnection;
  readonly publisher: Publisher;
};

/** Servers of a test file, on which each test opens a scene of its own. */
export type Stage = AsyncDisposable &
  Servers & {
    /** Of ad events. */
    readonly schemaId: number;
    /** Topics that nobody else uses, of one partition when left out. */
    openScene(partitions?: number): Promise<Scene>;
  };

export async function openStage(): Promise<Stage> {
  const log = openLog({ name: "test", level: "silent" });
  const devstack = await startDevstack();
  const brokers = [devstack.kafka.brokers];
  const kafka = connectKafka({ brokers, clientId: "test", securityProtocol: "PLAINTEXT" }, log);
  const publisher = await openPublisher({ kafka, log });
  const registry = openSchemaRegistry({ url: devstack.schemaRegistry.url, log });
  const servers = { devstack, kafka, publisher };
  return {
    ...servers,
    schemaId: await registry.register(valueSubject("events"), adEventSchema),
    openScene: (partitions = 1) => openScene(servers, partitions),
    async [Symbol.asyncDispose]() {
      await publisher[Symbol.asyncDispose]();
      await devstack.close();
    },
  };
}

export type Scene = {
  readonly env: Readonly<Record<string, string>>;
  readonly events: string;
  /** Puts letters into the dead-letter topic. */
  letters(...letters: Partial<DeadLetter>[]): Promise<void>;
  /** What was redriven: origin, first origin, count, key and value. */
  redriven(): Promise<string[][]>;
  run(...argv: string[]): Promise<{ code: number; out: string; err: string }>;
  runWith(host: Partial<DlqProcess>, ...argv: string[]): ReturnType<Scene["run"]>;
};

async function openScene(
  { devstack, kafka, publisher }: Servers,
  partitions: number,
): Promise<Scene> {
  const events = `events-${randomUUID().slice(0, 8)}`;
  const dlq = `${events}.dlq`;
  await createTopics(
    kafka,
    [events, dlq, `${events}.late`].map((topic) => ({ topic, partitions })),
  );
  const env = {
    KAFKA_BROKERS: devstack.kafka.brokers,
    SCHEMA_REGISTRY_URL: devstack.schemaRegistry.url,
    EVENTS_TOPIC: events,
    DEAD_LETTER_TOPIC: dlq,
    LATE_TOPIC: `${events}.late`,
  };
  const scene: Scene = {
    env,
    events,
    async letters(...letters) {
      const whole = { topic: events, partition: 0, offset: 0, timestamp: noon };
      const rest = { key: Buffer.from("key"), value: Buffer.from("value"), reason: "short frame" };
      const records = letters.map((one) => deadLetterRecord(dlq, { ...whole, ...rest, ...one }));
      for (const record of records) await publisher.publish([record]);
    },
    async redriven() {
      const found: string[][] = [];
      await readTopic({ kafka, topic: events }, async (_, { key, value, headers = {} }) => {
        const { origin, firstOrigin, count } = redriveHeaders;
        const told = [origin, firstOrigin, count].map((name) => String(headers[name] ?? "-"));
        found.push([...told, String(key), String(value)]);
      });
      return found;
    },
    run: (...argv) => scene.runWith({}, ...argv),
    async runWith(host, ...argv) {
      let [out, err] = ["", ""];
      const code = await runDlq({
        argv,
        env,
        envFile: null,
        stdout: (text) => (out += text),
        stderr: (text) => (err += text),
        ...host,
      });
      return { code, out, err };
    },
  };
  return scene;
}
