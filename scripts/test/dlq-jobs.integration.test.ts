import { redriveHeaders } from "@adstream/contracts/dead-letter";
import { jobDefaults } from "@adstream/contracts/jobs";
import { type Devstack, startDevstack } from "@adstream/devstack/start-devstack";
import { connectKafka, type KafkaConnection } from "@adstream/kafka/connection";
import { deadLetterRecord } from "@adstream/kafka/dead-letter-record";
import { openPublisher } from "@adstream/kafka/publisher";
import { createTopics } from "@adstream/kafka/topics";
import { openLog } from "@adstream/service/log";
import { readTopic } from "@adstream/verify/recount-topic";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runDlq } from "../dlq/run-dlq.ts";

const log = openLog({ name: "test", level: "silent" });
const noon = Date.UTC(2026, 0, 31, 12);
const { EVENTS_TOPIC: events = "", DEAD_LETTER_TOPIC: dlq = "" } = jobDefaults("campaign-counts");
let devstack: Devstack;
let kafka: KafkaConnection;

/** In JSON; the nanoseconds are more than a number holds. */
function interaction(timeMs: number, type = "view"): Buffer {
  return Buffer.from(
    `{"event_time_ns":${timeMs}000001,"event_type":"${type}","campaign_id":"c","produce_time":${timeMs}}`,
  );
}

const letters = [
  interaction(noon + 10_000, "like"),
  Buffer.from('{"campaign_id":'),
  // The window ends at 12:00:00, and the log has come to 12:00:10 less a delay of 10 s.
  interaction(noon - 1),
  interaction(noon),
];

beforeAll(async () => {
  devstack = await startDevstack();
  const brokers = [devstack.kafka.brokers];
  kafka = connectKafka({ brokers, clientId: "test", securityProtocol: "PLAINTEXT" }, log);
  await createTopics(
    kafka,
    [events, dlq].map((topic) => ({ topic, partitions: 1 })),
  );
  await using publisher = await openPublisher({ kafka, log });
  const last = interaction(noon + 10_000);
  await publisher.publish([{ topic: events, key: "k", value: last, timestamp: noon + 10_000 }]);
  for (const [offset, value] of letters.entries()) {
    const origin = { topic: events, partition: 0, offset: offset + 7, timestamp: noon };
    const letter = { ...origin, key: Buffer.from("k"), value, reason: "malformed JSON" };
    await publisher.publish([deadLetterRecord(dlq, letter)]);
  }
});

afterAll(() => devstack.close());

/** With nothing but the name of the job: topics, format and windows are its defaults. */
async function run(
  argv: readonly string[],
  job = "campaign-counts",
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const servers = {
    KAFKA_BROKERS: devstack.kafka.brokers,
    SCHEMA_REGISTRY_URL: devstack.schemaRegistry.url,
  };
  const code = await runDlq({
    argv,
    env: { ...servers, JOB: job },
    envFile: null,
    stdout: (text) => (out += text),
    stderr: (text) => (err += text),
  });
  return { code, out, err };
}

test("letters of a job are found, shown and redriven by its name alone", async () => {
  expect((await run(["list"])).out).toContain(`${dlq}: 4 letters\n`);
  expect((await run(["show", "0/7"])).out).toContain(`decoded    ${String(letters[0])}\n`);
  expect((await run(["show", "0/8"])).out).toMatch(/decoded {4}no: .*JSON/);
  const { code, out, err } = await run(["redrive", "--yes"]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain(`4 letters, 4 to be sent to ${events}\n4 letters redriven\n`);
  expect(out).toContain("about 1 of them are late by now: they go to the late topic\n");
  expect(out).toContain("2 of them still cannot be read: they come back\n");
  const sent: unknown[] = [];
  await readTopic({ kafka, topic: events }, async (_, { value, headers = {} }) => {
    const origin = headers[redriveHeaders.origin];
    if (origin !== undefined) sent.push([String(origin), String(value)]);
  });
  expect(sent).toEqual(letters.map((value, at) => [`${events}/0/${at + 7}`, String(value)]));
  expect((await run(["redrive", "--yes"])).out).toContain("  4 were redriven before\n");
});

test("a job that nobody knows is a mistake", async () => {
  const { code, err } = await run(["list"], "counts");
  expect([code, err]).toEqual([64, expect.stringContaining('JOB is "counts": must be one of')]);
});
