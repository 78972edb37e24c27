import { setTimeout as sleep } from "node:timers/promises";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { openPublisher } from "@adstream/kafka/publisher";
import { frame } from "@adstream/kafka/wire-format";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { maxRedrives } from "../dlq/redrive-plan.ts";
import { noon, openStage, type Scene, type Stage } from "./dlq-stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** The origin of letter `offset` of partition 0, as headers write it. */
function origin({ events }: Scene, offset: number): string {
  return `${events}/0/${offset}`;
}

function offsetsOf(count: number): { offset: number; key: Buffer }[] {
  return Array.from({ length: count }, (_, offset) => ({ offset, key: Buffer.from(`k${offset}`) }));
}

/** Kafka's publisher, with something to happen between the broker's answer and ours. */
function gatedPublisher(answered: () => Promise<void>): typeof openPublisher {
  return async (options) => {
    const real = await openPublisher(options);
    return {
      maxRecordBytes: real.maxRecordBytes,
      openBlocks: (topic) => real.openBlocks(topic),
      publishBlocks: (blocks) => real.publishBlocks(blocks),
      async publish(records) {
        await real.publish(records);
        await answered();
      },
      [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    };
  };
}

/** Longer than a member waits between two heartbeats. */
const heartbeatMs = 1_100;

/** Waits until somebody else wants to be a member, and for longer than a member waits between two heartbeats. */
async function groupIsRebalancing(group: string): Promise<void> {
  const admin = stage.kafka.admin();
  await admin.connect();
  for (let look = 0; look < 100; look++) {
    const { groups } = await admin.describeGroups([group]);
    if (groups[0]?.state === "PreparingRebalance") break;
    await sleep(50);
  }
  await admin.disconnect();
  await sleep(heartbeatMs);
}

/** Origins that were redriven, sorted, with repeats. */
async function originsSent(scene: Scene): Promise<string[]> {
  return (await scene.redriven()).map(([one = ""]) => one).toSorted();
}

describe("redrive", () => {
  test("prints what it would do, and does it with --yes: the same bytes, with their origin", async () => {
    const scene = await stage.openScene();
    await scene.letters({ offset: 3 }, { offset: 3 }, { offset: 4, value: Buffer.of(0, 255) });
    const plan = await scene.run("redrive");
    expect(plan).toEqual({
      code: 0,
      err: "",
      out: `2 letters, 2 to be sent to ${scene.events}\nnothing is sent without --yes\n`,
    });
    expect(await scene.redriven()).toEqual([]);
    const { code, out } = await scene.run("redrive", "--yes");
    expect([code, out]).toEqual([0, expect.stringContaining("2 letters redriven\n")]);
    expect(out).toContain("2 of them still cannot be read: they come back\n");
    const [three, four] = [origin(scene, 3), origin(scene, 4)];
    expect(await scene.redriven()).toEqual([
      [three, three, "1", "key", "value"],
      [four, four, "1", "key", String(Buffer.of(0, 255))],
    ]);
  });

  test("sends a letter once, however often it is called", async () => {
    const scene = await stage.openScene(3);
    await scene.letters(...offsetsOf(20));
    await scene.run("redrive", "--yes");
    await scene.letters({ offset: 20 });
    const again = await scene.run("redrive", "--yes");
    expect(again.out).toContain("21 letters, 1 to be sent");
    expect(again.out).toContain("  20 were redriven before\n");
    expect((await scene.run("redrive", "--yes")).out).toContain("21 letters, 0 to be sent");
    const sent = await originsSent(scene);
    expect(sent).toEqual([...new Set(sent)]);
    expect(sent).toHaveLength(21);
  });

  test("goes on where it was stopped, also when the last record had arrived", async () => {
    const scene = await stage.openScene(2);
    await scene.letters(...offsetsOf(10));
    let sends = 0;
    const failing = gatedPublisher(async () => {
      sends += 1;
      if (sends === 4) throw new Error("no answer came");
    });
    const stopped = await scene.runWith({ openPublisher: failing }, "redrive", "--yes");
    expect([stopped.code, stopped.err]).toEqual([70, "adstream dlq: no answer came\n"]);
    expect(await originsSent(scene)).toHaveLength(4);
    expect((await scene.run("redrive", "--yes")).out).toContain("6 letters redriven\n");
    const sent = await originsSent(scene);
    expect(sent).toEqual(offsetsOf(10).map(({ offset }) => origin(scene, offset)));
  });

  test("sends a letter once when two run at a time", async () => {
    const scene = await stage.openScene(4);
    await scene.letters(...offsetsOf(60));
    const runs = await Promise.all([scene.run("redrive", "--yes"), scene.run("redrive", "--yes")]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    const sent = await originsSent(scene);
    expect(sent).toEqual([...new Set(sent)]);
    expect(sent).toHaveLength(60);
  });

  test("reads the log again before it goes on with letters that another one held meanwhile", async () => {
    const scene = await stage.openScene(2);
    await scene.letters(...offsetsOf(40));
    const group = `${scene.events}.dlq.redrive`;
    let other: ReturnType<Scene["run"]> | undefined;
    let sends = 0;
    const gated = gatedPublisher(async () => {
      sends += 1;
      if (sends === 1) {
        other = scene.run("redrive", "--yes");
        await groupIsRebalancing(group);
      }
      // The other one has a partition by now; it sends what is in there, leaves, and leaves that partition to us.
      if (sends === 2) {
        await other;
        await sleep(heartbeatMs);
      }
    });
    const first = await scene.runWith({ openPublisher: gated }, "redrive", "--yes");
    expect([first.code, (await other)?.code]).toEqual([0, 0]);
    expect((await other)?.out).toMatch(/\n[1-9]\d* letters redriven\n/);
    const sent = await originsSent(scene);
    expect(sent).toEqual([...new Set(sent)]);
    expect(sent).toHaveLength(40);
  });

  test("keeps the first origin of a letter that comes back, and gives up after five times", async () => {
    const scene = await stage.openScene();
    await scene.letters({ offset: 1_000 });
    for (let round = 0; round < maxRedrives; round++) {
      expect((await scene.run("redrive", "--yes")).out).toContain("1 letters redriven\n");
      // What the processor says of a record that failed again: the place where that stands.
      await scene.letters({ offset: round });
    }
    const last = await scene.run("redrive", "--yes");
    expect(last.out).toContain("6 letters, 0 to be sent");
    expect(last.out).toContain("  1 failed again five times");
    const first = origin(scene, 1_000);
    expect((await scene.redriven()).map((told) => told.slice(0, 3))).toEqual([
      [first, first, "1"],
      ...[0, 1, 2, 3].map((offset) => [origin(scene, offset), first, String(offset + 2)]),
    ]);
  });

  test("leaves letters whose value was not kept, and those of other topics", async () => {
    const scene = await stage.openScene();
    await scene.letters(
      { offset: 1, value: Buffer.alloc(950 * 1024) },
      { offset: 2, topic: "ad_stats" },
    );
    const { out } = await scene.run("redrive", "--yes");
    expect(out).toContain("2 letters, 0 to be sent");
    expect(out).toContain("  1 were too large to keep");
    expect(out).toContain("  1 are of another topic");
  });

  test("sends none of which the log no longer tells whether they were sent", async () => {
    const scene = await stage.openScene();
    for (const timestamp of [noon + 1, noon + 2]) {
      const record = { topic: scene.events, key: "x", value: null, timestamp };
      await stage.publisher.publish([record]);
    }
    const admin = stage.kafka.admin();
    await admin.connect();
    await admin.fetchTopicOffsets(scene.events); // kafkajs deletes in topics it knows.
    const partitions = [{ partition: 0, offset: "1" }];
    await admin.deleteTopicRecords({ topic: scene.events, partitions });
    await admin.disconnect();
    await scene.letters({ offset: 0, timestamp: noon + 1 }, { offset: 1, timestamp: noon + 2 });
    const { out } = await scene.run("redrive", "--yes");
    expect(out).toContain("  1 are older than what the events topic still holds");
    expect(out).toContain("1 letters redriven\n");
  });

  test("takes the letters that are named, and no more than the limit", async () => {
    const scene = await stage.openScene();
    const framed = frame(7, Buffer.from("x"));
    await scene.letters(
      { offset: 1 },
      { offset: 2, reason: "null value", value: null },
      { offset: 3, value: framed },
      { offset: 4, value: framed },
      { offset: 5, value: framed },
    );
    await scene.run("redrive", "--yes", "--reason", "null value");
    await scene.run("redrive", "--yes", "--origin", "0/4");
    await scene.run("redrive", "--yes", "--schema-id", "7", "--limit", "1");
    const sent = await scene.redriven();
    expect(sent.map(([one]) => one)).toEqual([2, 4, 3].map((offset) => origin(scene, offset)));
  });

  test("says how many are late by now", async () => {
    const scene = await stage.openScene();
    const event = { clicks: 1, views: 1, cost: 1, event_id: null, ad_id: "a" };
    const { encode } = avroCodec(adEventSchema);
    const value = (timestamp: number) => frame(stage.schemaId, encode({ ...event, timestamp }));
    const record = { topic: scene.events, key: "key", timestamp: noon };
    await stage.publisher.publish([{ ...record, value: value(noon) }]);
    await scene.letters(
      { offset: 1, value: value(noon - 70_000) },
      { offset: 2, value: value(noon - 69_999 + 30_000) },
    );
    const { out } = await scene.run("redrive", "--yes");
    expect(out).toContain("about 1 of them are late by now");
  });
});
