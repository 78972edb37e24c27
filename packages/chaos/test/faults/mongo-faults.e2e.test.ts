import { setTimeout as sleep } from "node:timers/promises";
import { resultDeadLetters } from "@adstream/contracts/topics";
import { readTopic } from "@adstream/verify/recount-topic";
import { optionsFrom, recount } from "@adstream/verify/recount";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import {
  finishFlow,
  full,
  joins,
  openProxied,
  type Proxied,
  startFlow,
} from "./fixture/proxied.ts";

const downMs = full ? 600_000 : 8_000;
const slowMs = full ? 5_000 : 1_500;
/** The longest wait between two attempts (protocol 2.6), and an attempt. */
const noticedWithinMs = 70_000;

/** MongoDB's own fail point, which the embedded server knows as well. */
async function failCommand(
  { pipeline }: Proxied,
  mode: object,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  await using client = new MongoClient(pipeline.scope.environment["MONGODB_URL"] ?? "");
  await client.db("admin").command({ configureFailPoint: "failCommand", mode, data });
}

type Fault = readonly [name: string, fault: (proxied: Proxied) => Promise<void>];

const notWritablePrimary = 10_107;
const writes = ["update", "insert", "bulkWrite"];

const faults: readonly Fault[] = [
  [
    `down for ${downMs / 1_000} s, connections refused`,
    async ({ mongo }) => {
      mongo.set({ refusing: true });
      mongo.cut("reset");
      await sleep(downMs);
    },
  ],
  [
    `down for ${downMs / 1_000} s, without a word`,
    async ({ mongo }) => {
      mongo.set({ silent: true });
      await sleep(downMs);
      mongo.cut("reset");
    },
  ],
  [
    "election",
    async (proxied) => {
      const data = { failCommands: writes, errorCode: notWritablePrimary };
      for (let election = 0; election < 3; election++) {
        await failCommand(proxied, { times: 1 }, data);
        await sleep(1_500);
      }
    },
  ],
  [
    `slow, ${slowMs / 1_000} s each way`,
    async ({ mongo }) => {
      mongo.set({ latencyMs: slowMs });
      await sleep(slowMs * 4);
    },
  ],
  [
    "partial bulk error",
    async (proxied) => {
      const writeConcernError = { code: 91, errmsg: "ShutdownInProgress" };
      await failCommand(proxied, { times: 2 }, { failCommands: writes, writeConcernError });
      // Half of a bulk arrives, and the connection is gone.
      const cut = { passBytes: 2_000, ending: "reset" } as const;
      proxied.mongo.add({ direction: "request", skip: 2, action: cut });
      await sleep(3_000);
    },
  ],
];

test.each(faults)(
  "MongoDB %s: the sink waits and tries again, stays in its group, and nothing is wrong",
  async (_name, fault) => {
    await using proxied = await openProxied();
    const flow = await startFlow(proxied);
    await fault(proxied);
    proxied.mongo.heal();
    const away = (): unknown => flow.sink.status["mongoAway"];
    await expect.poll(away, { timeout: noticedWithinMs }).toBe(false);
    await finishFlow(proxied, flow);
    expect(joins(flow.sink)).toBe(1);
  },
);

test("MongoDB permanent error: refused documents are dead letters, the others go on, no position waits", async () => {
  await using proxied = await openProxied();
  const { pipeline } = proxied;
  const { environment, kafka } = pipeline.scope;
  await using client = new MongoClient(environment["MONGODB_URL"] ?? "");
  const documents = client.db(environment["MONGODB_DATABASE"]).collection("ad_stats");
  // One document for each ad: those of its other windows are refused, each with E11000.
  await documents.createIndex({ ad_id: 1 }, { unique: true });
  const flow = await startFlow(proxied);
  await sleep(2_000);
  expect(await flow.producer.stop()).toMatchObject({ code: 0 });
  await pipeline.drained(flow.processor);
  expect(await flow.processor.stop()).toMatchObject({ code: 0, stderr: "" });
  const { documents: expected } = await recount(optionsFrom(environment));
  const ads = new Set([...expected.keys()].map(adOf));
  await expect.poll(() => flow.sink.status["lagRecords"], { timeout: 30_000 }).toBe(0);
  const stored = await documents.find({}).toArray();
  const refused = new Set<string>();
  const topic = resultDeadLetters(environment["RESULTS_TOPIC"] ?? "");
  await readTopic({ kafka, topic }, async (_partition, { key }) => void refused.add(String(key)));
  const ids = stored.map(({ _id }) => String(_id));
  expect(new Set(ids.map(adOf))).toEqual(ads);
  expect([...ids, ...refused].toSorted()).toEqual([...expected.keys()].toSorted());
  for (const { _id, count } of stored) {
    expect([String(_id), Number(count)]).toEqual([String(_id), expected.get(String(_id))?.count]);
  }
  expect(await flow.sink.stop()).toMatchObject({ code: 0, stderr: "" });
});

/** Of "window start/ad". */
function adOf(documentId: string): string {
  return documentId.slice(documentId.indexOf("/") + 1);
}
