import { describe, expect, test } from "vitest";
import { runTopics, usage } from "../topics/run-topics.ts";
import type { TopicSpec } from "@adstream/contracts/topics";
import type { TopicDescription } from "@adstream/kafka/topics";
import type { TopicAdmin } from "../topics/commands.ts";

/** A cluster as a map; it forgets records when a topic is deleted. */
class FakeCluster implements TopicAdmin {
  readonly topics = new Map<string, TopicDescription>();
  readonly created: TopicSpec[] = [];

  async create(specs: readonly TopicSpec[]): ReturnType<TopicAdmin["create"]> {
    return specs.map((spec) => {
      if (this.topics.has(spec.topic)) return { topic: spec.topic, outcome: "exists" as const };
      this.created.push(spec);
      this.put(spec.topic, spec.partitions, spec.config, spec.replicationFactor);
      return { topic: spec.topic, outcome: "created" as const };
    });
  }
  async describe(topics: readonly string[]): Promise<TopicDescription[]> {
    const nothing = { exists: false, offsets: [], replicationFactor: 0, config: {} };
    return topics.map((topic) => this.topics.get(topic) ?? { topic, ...nothing });
  }
  async delete(topics: readonly string[]): Promise<string[]> {
    return topics.filter((topic) => this.topics.delete(topic));
  }
  put(
    topic: string,
    partitions: number,
    config: Record<string, string>,
    replicationFactor = 1,
  ): void {
    const offsets = Array.from({ length: partitions }, () => ({ low: 2, high: 5 }));
    this.topics.set(topic, { topic, exists: true, offsets, replicationFactor, config });
  }
}

type Run = { code: number; out: string[]; err: string; cluster: FakeCluster };

async function run(
  argv: string[],
  {
    env = {},
    cluster = new FakeCluster(),
  }: { env?: Record<string, string>; cluster?: FakeCluster } = {},
): Promise<Run> {
  let [out, err] = ["", ""];
  const code = await runTopics({
    argv,
    env,
    envFile: null,
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
    openAdmin: () => cluster,
  });
  return { code, out: out.split("\n").slice(0, -1), err, cluster };
}

describe("create", () => {
  test("makes the topics, sized and named by the environment", async () => {
    const env = { TOPIC_PARTITIONS: "3", TOPIC_REPLICATION_FACTOR: "2", EVENTS_TOPIC: "clicks" };
    const { code, out, cluster } = await run(["create"], { env });
    expect(code).toBe(0);
    expect(out).toEqual([
      "clicks: created",
      "ad_stats: created",
      "ad_stats.dlq: created",
      "ad_topic.dlq: created",
      "ad_topic.late: created",
      "ad_topic.audit: created",
    ]);
    expect(cluster.created[0]).toEqual({
      topic: "clicks",
      partitions: 3,
      replicationFactor: 2,
      config: { "message.timestamp.type": "LogAppendTime" },
    });
  });

  test("leaves what exists and says where it is not as it should be", async () => {
    const cluster = new FakeCluster();
    cluster.put("ad_topic", 4, {});
    const stamped = { "message.timestamp.type": "LogAppendTime" };
    cluster.put("ad_stats", 6, { ...stamped, "cleanup.policy": "compact" });
    cluster.put("ad_topic.dlq", 4, { ...stamped, "retention.ms": "1209600000" });
    const { code, out } = await run(["create"], {
      cluster,
      env: { TOPIC_REPLICATION_FACTOR: "1" },
    });
    expect(code).toBe(0);
    expect(out).toEqual([
      "ad_topic: exists",
      "ad_stats: exists",
      "ad_stats.dlq: created",
      "ad_topic.dlq: exists",
      "ad_topic.late: created",
      "ad_topic.audit: created",
      "ad_topic: message.timestamp.type is CreateTime, should be LogAppendTime",
      "ad_stats: has 6 partitions, TOPIC_PARTITIONS is 4",
      "ad_stats: cleanup.policy is compact, should be delete",
    ]);
  });

  test("says that a replication factor is another one", async () => {
    const { cluster } = await run(["create"]);
    const { out } = await run(["create"], { cluster, env: { TOPIC_REPLICATION_FACTOR: "3" } });
    expect(out).toContain("ad_stats: has replication 1, TOPIC_REPLICATION_FACTOR is 3");
  });
});

describe("clear", () => {
  test("wants --yes, and does nothing without", async () => {
    const { cluster } = await run(["create"]);
    const { code, err } = await run(["clear"], { cluster });
    expect([code, err]).toEqual([
      64,
      "adstream topics: clear deletes all records of the topics: say --yes if that is wanted\n",
    ]);
    expect(cluster.created).toHaveLength(6);
  });

  test("deletes what is there and makes all again", async () => {
    const cluster = new FakeCluster();
    cluster.put("ad_topic", 9, {});
    const { code, out } = await run(["clear", "--yes"], { cluster });
    expect(code).toBe(0);
    expect(out.slice(0, 2)).toEqual(["ad_topic: deleted", "ad_topic: created"]);
    expect(out.at(-1)).toMatch(/^checkpoints and documents of before are still there/);
    expect(cluster.topics.get("ad_topic")?.offsets).toHaveLength(4);
  });
});

test("describe shows partitions, records, offsets and settings, and changes nothing", async () => {
  const cluster = new FakeCluster();
  cluster.put("ad_topic", 1, { "message.timestamp.type": "LogAppendTime" });
  const env = { TOPIC_PARTITIONS: "1" };
  const { code, out } = await run(["describe"], { cluster, env });
  expect(code).toBe(0);
  expect(out).toEqual([
    "ad_topic: 1 partitions, replication 1, 3 records",
    "  message.timestamp.type=LogAppendTime",
    "  partition 0: offsets 2 to 5",
    "ad_stats: does not exist",
    "ad_stats.dlq: does not exist",
    "ad_topic.dlq: does not exist",
    "ad_topic.late: does not exist",
    "ad_topic.audit: does not exist",
  ]);
  expect(cluster.topics.size).toBe(1);
});

describe("mistakes", () => {
  test("of the command line are listed together", async () => {
    const { code, err } = await run(["remove", "now", "--force"]);
    expect(code).toBe(64);
    expect(err.split("\n")).toEqual([
      "adstream topics: remove: there are create, clear and describe",
      "  now: one command at a time",
      "  --force: there is no such flag",
      "",
    ]);
  });

  test("of the environment end with 64 as well", async () => {
    const { code, err } = await run(["create"], { env: { TOPIC_PARTITIONS: "0" } });
    expect([code, err]).toEqual([
      64,
      'adstream topics: TOPIC_PARTITIONS is "0": must be a whole number from 1 to 10000\n',
    ]);
  });

  test("no command is one, help is none", async () => {
    expect((await run([])).code).toBe(64);
    const help = await run(["--help"]);
    expect([help.code, `${help.out.join("\n")}\n`]).toEqual([0, usage]);
  });
});

test.each([
  ["its own code", Object.assign(new Error("refused\n  twice"), { exitCode: 78 }), 78],
  ["70 where it has none", new Error("refused twice"), 70],
])("a failure of the cluster ends with %s and one line", async (_case, error, code) => {
  const cluster = new FakeCluster();
  cluster.create = () => Promise.reject(error);
  const failed = await run(["create"], { cluster });
  expect([failed.code, failed.err]).toEqual([code, "adstream topics: refused twice\n"]);
});
