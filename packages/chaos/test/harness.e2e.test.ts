import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { checkDocuments } from "../src/check-documents.ts";
import { openRunScope } from "../src/run-scope.ts";
import { openServers } from "../src/servers.ts";
import { startService } from "../src/service-process.ts";

test(
  "the check accepts what the services wrote, and names an altered document or slot, and a removed one and a lost record",
  { timeout: 60_000 },
  async () => {
    await using servers = await openServers({});
    await using scope = await openRunScope(servers, { settings: { CHECKPOINT_INTERVAL: "500ms" } });
    const { directory, environment } = scope;
    await using sink = startService({ service: "sink", environment, directory });
    await using processor = startService({ service: "processor", environment, directory });
    const args = ["--rate=2000", "--count=6000", "--late-ratio=0.02", "--seed=3"];
    await using producer = startService({ service: "producer", environment, directory, args });

    expect(await producer.exited).toMatchObject({ code: 0 });
    expect(producer.status).toMatchObject({ produced: 6_000 });
    await processor.until("at the log end", ({ status }) => readOf(status["tasks"]) === 6_000);
    expect(await processor.stop()).toMatchObject({ code: 0, stderr: "" });
    await using client = new MongoClient(environment["MONGODB_URL"] ?? "");
    const documents = client.db(environment["MONGODB_DATABASE"]).collection("ad_stats");
    await expect
      .poll(async () => (await checkDocuments(environment)).problems, { timeout: 15_000 })
      .toEqual([]);
    expect(await sink.stop()).toMatchObject({ code: 0, signal: null });

    const right = await checkDocuments(environment);
    expect(right.recounted).toMatchObject({ in: 6_000, dead: 0 });
    expect(right.late.different).toBeGreaterThan(50);
    const [altered, removed] = await documents.find({}).limit(2).toArray();
    await documents.updateOne({ _id: altered!._id }, { $inc: { count: 1 } });
    await documents.deleteOne({ _id: removed!._id });
    const { comparison, problems } = await checkDocuments(environment);
    expect(comparison).toMatchObject({ missing: 1, differing: 1, extra: 0 });
    for (const said of ["2 of ", String(altered!._id), String(removed!._id)]) {
      expect(problems).toContainEqual(expect.stringContaining(said));
    }
    await documents.replaceOne({ _id: altered!._id }, altered!);
    await documents.insertOne(removed!);
    expect((await checkDocuments(environment)).problems).toEqual([]);
    const [slot = ""] = Object.keys(altered!["slots"]);
    await documents.updateOne({ _id: altered!._id }, { $inc: { [`slots.${slot}.count`]: 1 } });
    expect((await checkDocuments(environment)).comparison.differing).toBe(1);
    await documents.replaceOne({ _id: altered!._id }, altered!);
    const one = { service: "producer", environment, directory, args: ["--count=1"] } as const;
    expect(await startService(one).exited).toMatchObject({ code: 0 });
    expect((await checkDocuments(environment)).problems).not.toEqual([]);
  },
);

function readOf(tasks: unknown): number {
  if (!Array.isArray(tasks)) return 0;
  return tasks.reduce((sum: number, task: unknown) => {
    return sum + Number(Reflect.get(Object(task), "in"));
  }, 0);
}
