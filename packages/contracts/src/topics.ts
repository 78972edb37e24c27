/** Names of the topics, unless the environment names others. */
export const defaultTopics = {
  events: "ad_topic",
  results: "ad_stats",
  deadLetters: "ad_topic.dlq",
  late: "ad_topic.late",
} as const;

/** Confluent's TopicNameStrategy, the one every tool of that registry expects. */
export function valueSubject(topic: string): string {
  return `${topic}-value`;
}
