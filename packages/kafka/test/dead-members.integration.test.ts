import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { leaveForTheDead } from "../src/dead-members.ts";
import { type Fixture, startFixture, until } from "./broker-fixture.ts";
import { read } from "./reading.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const program = `
  import kafkajs from "kafkajs";
  import { memberClientId } from "./src/process-identity.ts";
  const [brokers, groupId, topic] = process.argv.slice(1);
  const kafka = new kafkajs.Kafka({ brokers: [brokers], clientId: memberClientId("test"), logLevel: 0 });
  const consumer = kafka.consumer({ groupId, sessionTimeout: 30_000 });
  consumer.on("consumer.group_join", () => process.send("joined"));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachBatch: async () => {} });
`;

/** A member in a process of its own, with a session of 30 s. */
async function startMember(groupId: string, topic: string): Promise<AsyncDisposable> {
  const args = [fixture.broker.brokers, groupId, topic];
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, "--", ...args], {
    cwd: new URL("..", import.meta.url),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(child, "message");
  const exited = once(child, "exit");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

test.runIf(process.platform === "linux")(
  "who starts again after SIGKILL does not wait for the session of the dead to end",
  async () => {
    const topic = await fixture.topic(2);
    await (await startMember("killed", topic))[Symbol.asyncDispose]();
    const startedAt = performance.now();
    await using reading = await read(fixture, topic, { groupId: "killed" });
    await until(() => reading.assignments.length > 0);
    expect(reading.assignments).toEqual([[0, 1]]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  },
);

test("members that live stay in the group", async () => {
  const topic = await fixture.topic(2);
  await using _member = await startMember("living", topic);
  await leaveForTheDead({ ...fixture, groupId: "living" });
  const admin = fixture.kafka.admin();
  await admin.connect();
  const { groups } = await admin.describeGroups(["living"]);
  await admin.disconnect();
  expect(groups[0]?.members).toHaveLength(1);
});
