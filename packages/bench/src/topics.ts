import { valueSubject } from "@adstream/contracts/topics";
import type { Admin, Kafka } from "kafkajs";
import { registerSchema } from "./throughput.ts";

/** Topics of one run, gone when it is disposed of. */
export type Topics = AsyncDisposable & {
  readonly admin: Admin;
  readonly names: Readonly<Record<"EVENTS_TOPIC" | "RESULTS_TOPIC", string>> &
    Readonly<Record<string, string>>;
  /** Of the events' schema. */
  readonly schemaId: number;
};

const leaderPatienceMs = 10_000;
const leaderPauseMs = 100;

/**
 * Events carry the time at which they were due; results that at which the broker had them.
 * @param name tells them from those of others
 */
export async function openTopics(
  kafka: Kafka,
  name: string,
  partitions: number,
  registryUrl: string,
): Promise<Topics> {
  await using opening = new AsyncDisposableStack();
  const admin = opening.adopt(kafka.admin(), (opened) => opened.disconnect());
  await admin.connect();
  const names = {
    EVENTS_TOPIC: `${name}-events`,
    RESULTS_TOPIC: `${name}-results`,
    DEAD_LETTER_TOPIC: `${name}-dead`,
    LATE_TOPIC: `${name}-late`,
    SINK_DEAD_LETTER_TOPIC: `${name}-results-dead`,
  };
  await admin.createTopics({
    waitForLeaders: false,
    topics: Object.values(names).map((topic) => {
      const value = topic === names.EVENTS_TOPIC ? "CreateTime" : "LogAppendTime";
      const configEntries = [{ name: "message.timestamp.type", value }];
      return { topic, numPartitions: partitions, configEntries };
    }),
  });
  opening.defer(() => admin.deleteTopics({ topics: Object.values(names) }));
  await leaders(admin, Object.values(names));
  const schemaId = await registerSchema(registryUrl, valueSubject(names.EVENTS_TOPIC));
  const resources = opening.move();
  return { admin, names, schemaId, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** kafkajs' own wait gives up where a busy broker does not know its new topics yet. */
async function leaders(admin: Admin, topics: string[]): Promise<void> {
  const deadlineMs = performance.now() + leaderPatienceMs;
  for (;;) {
    try {
      await admin.fetchTopicMetadata({ topics });
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, leaderPauseMs));
    }
  }
}
