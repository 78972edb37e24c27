/** Names of the topics, unless the environment names others. */
export const defaultTopics = {
  events: "ad_topic",
  results: "ad_stats",
  deadLetters: "ad_topic.dlq",
  late: "ad_topic.late",
  audit: "ad_topic.audit",
} as const;

/** Where the sink puts results that get into no document, unless the environment says otherwise. */
export function resultDeadLetters(resultsTopic: string): string {
  return `${resultsTopic}.dlq`;
}

/** Confluent's TopicNameStrategy, the one every tool of that registry expects. */
export function valueSubject(topic: string): string {
  return `${topic}-value`;
}

/** How a topic has to be; what it leaves out is the broker's default. */
export type TopicSpec = {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor?: number;
  /** Kafka's own names and values. */
  readonly config: Readonly<Record<string, string>>;
};

const dayMs = 86_400_000;

/** The topics of the pipeline, in the order of the flow. @param size applies to each of them */
export function topicSpecs(
  names: Readonly<Record<keyof typeof defaultTopics, string>> & {
    readonly resultDeadLetters?: string | undefined;
  },
  size: { readonly partitions: number; readonly replicationFactor?: number | undefined },
): TopicSpec[] {
  const { partitions, replicationFactor } = size;
  const factor = replicationFactor === undefined ? {} : { replicationFactor };
  const spec = (topic: string, config: Readonly<Record<string, string>>): TopicSpec => ({
    topic,
    partitions,
    ...factor,
    // The broker's clock: a fast one at a producer's host would declare everybody else's events late, and one that is an
    // hour fast at a processor's would have its results refused.
    config: { "message.timestamp.type": "LogAppendTime", ...config },
  });
  return [
    spec(names.events, {}),
    // Never compacted: the last record of a key may be an older version, of a process that was slow to die.
    spec(names.results, { "cleanup.policy": "delete", "retention.ms": String(7 * dayMs) }),
    spec(names.resultDeadLetters ?? resultDeadLetters(names.results), {
      "cleanup.policy": "delete",
      "retention.ms": String(14 * dayMs),
    }),
    spec(names.deadLetters, { "cleanup.policy": "delete", "retention.ms": String(14 * dayMs) }),
    spec(names.late, { "cleanup.policy": "delete", "retention.ms": String(14 * dayMs) }),
    // Why results are as they are outlives the records: a few lines a year, kept for ever.
    spec(names.audit, { "cleanup.policy": "delete", "retention.ms": "-1" }),
  ];
}
