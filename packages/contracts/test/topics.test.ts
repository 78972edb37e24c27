import { expect, test } from "vitest";
import { defaultTopics, topicSpecs, valueSubject } from "../src/topics.ts";

/** By the broker's clock, so that no other one matters. */
const stamped = { "message.timestamp.type": "LogAppendTime" };

test("each topic has the settings that the pipeline relies on", () => {
  expect(topicSpecs(defaultTopics, { partitions: 4 })).toEqual([
    { topic: "ad_topic", partitions: 4, config: stamped },
    {
      topic: "ad_stats",
      partitions: 4,
      config: { ...stamped, "cleanup.policy": "delete", "retention.ms": "604800000" },
    },
    {
      topic: "ad_stats.dlq",
      partitions: 4,
      config: { ...stamped, "cleanup.policy": "delete", "retention.ms": "1209600000" },
    },
    {
      topic: "ad_topic.dlq",
      partitions: 4,
      config: { ...stamped, "cleanup.policy": "delete", "retention.ms": "1209600000" },
    },
    {
      topic: "ad_topic.late",
      partitions: 4,
      config: { ...stamped, "cleanup.policy": "delete", "retention.ms": "1209600000" },
    },
    {
      topic: "ad_topic.audit",
      partitions: 4,
      config: { ...stamped, "cleanup.policy": "delete", "retention.ms": "-1" },
    },
  ]);
});

test("a replication factor is passed on where there is one", () => {
  const specs = topicSpecs(defaultTopics, { partitions: 1, replicationFactor: 3 });
  expect(specs.map((spec) => spec.replicationFactor)).toEqual([3, 3, 3, 3, 3, 3]);
});

test("the subject of a topic's values is the one every tool expects", () => {
  expect(valueSubject("ad_topic")).toBe("ad_topic-value");
});
