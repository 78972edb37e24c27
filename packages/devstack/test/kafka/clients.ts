import { Kafka, Partitioners, logLevel } from "kafkajs";
import type { Admin, Consumer, ConsumerConfig, Producer } from "kafkajs";
import { startKafka } from "../../src/kafka/server.ts";
import type { KafkaOptions, KafkaServer } from "../../src/kafka/server.ts";

export type TestBroker = AsyncDisposable & {
  readonly server: KafkaServer;
  readonly admin: Admin;
  readonly producer: Producer;
  kafka: Kafka;
  /** Collects what a group member is given; closed with the broker. */
  member(groupId: string, topics: string[], config?: Partial<ConsumerConfig>): Promise<TestMember>;
};

export type TestMember = {
  readonly consumer: Consumer;
  readonly values: string[];
  /** Partitions of the last assignment; undefined before the first. */
  assigned(): number[] | undefined;
};

/** A broker and kafkajs clients to it; everything is closed together. */
export async function startTestBroker(options: KafkaOptions = {}): Promise<TestBroker> {
  const resources = new AsyncDisposableStack();
  const server = resources.use(await startKafka({ minSessionTimeoutMs: 100, ...options }));
  const kafka = new Kafka({
    brokers: [server.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 8 },
  });
  const admin = kafka.admin();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await Promise.all([admin.connect(), producer.connect()]);
  resources.defer(() => admin.disconnect());
  resources.defer(() => producer.disconnect());
  return {
    server,
    admin,
    producer,
    kafka,
    async member(groupId, topics, config = {}) {
      const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 50, ...config });
      resources.defer(() => consumer.disconnect());
      return runMember(consumer, topics);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function runMember(consumer: Consumer, topics: string[]): Promise<TestMember> {
  const values: string[] = [];
  let assigned: number[] | undefined;
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = Object.values(payload.memberAssignment)
      .flat()
      .sort((one, other) => one - other);
  });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }) => {
      values.push(String(message.value));
      return Promise.resolve();
    },
  });
  return { consumer, values, assigned: () => assigned };
}
