import { type GcsServer, startGcs } from "@adstream/devstack/gcs/server";
import { expect, test } from "vitest";
import type { ServiceProcess } from "../../src/service-process.ts";
import { scrape } from "./fixture/metrics.ts";
import { openPipeline, type Pipeline, sumOf } from "./fixture/pipeline.ts";
import { finishFlow, patient } from "./fixture/proxied.ts";

const args = ["--rate=1000", "--ads=60", "--late-ratio=0.01", "--seed=24"];
const bucket = "checkpoints";
/** A busy machine takes its time; a quiet one is there at once. */
const soon = { timeout: 60_000, interval: 50 };
const published = "adstream_results_published_total";

/** A pipeline whose processors keep their checkpoints in a bucket. */
async function openBucketRun(): Promise<
  AsyncDisposable & {
    readonly gcs: GcsServer;
    readonly pipeline: Pipeline;
    readonly finish: (processor: ServiceProcess) => Promise<void>;
  }
> {
  await using opening = new AsyncDisposableStack();
  const gcs = opening.use(await startGcs({ buckets: [bucket] }));
  const settings = {
    ...patient,
    CHECKPOINT_URL: `gs://${bucket}/run`,
    STORAGE_EMULATOR_HOST: gcs.url,
  };
  const pipeline = opening.use(await openPipeline({ settings }));
  const [producer, sink] = [pipeline.start("producer", { args }), pipeline.start("sink")];
  const resources = opening.move();
  return {
    gcs,
    pipeline,
    finish: (processor) => finishFlow({ pipeline }, { producer, processor, sink }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Highest number in the bucket, by partition. */
function newest({ buckets }: GcsServer): number[] {
  const numbers = [0, 0];
  for (const name of buckets.objects(bucket).keys()) {
    const [, partition, seq] = /\/p000([01])\/(\d{12})$/.exec(name) ?? [];
    const at = Number(partition ?? -1);
    if (at in numbers) numbers[at] = Math.max(numbers[at] ?? 0, Number(seq));
  }
  return numbers;
}

/** Waits for new checkpoints of both partitions. */
async function checkpoints(gcs: GcsServer, count: number): Promise<void> {
  const before = newest(gcs);
  const grown = (): boolean => newest(gcs).every((seq, at) => seq >= (before[at] ?? 0) + count);
  await expect.poll(grown, soon).toBe(true);
}

async function readsAndPublishes(processor: ServiceProcess, records: number): Promise<void> {
  const results = await scrape(processor, published);
  const goal = sumOf(processor.status["tasks"], "in") + records;
  await processor.until("reading", ({ status }) => sumOf(status["tasks"], "in") >= goal);
  await expect.poll(() => scrape(processor, published), soon).toBeGreaterThan(results);
}

test("GCS 503 and 429: processing and publishing go on, and so do checkpoints when it is over", async () => {
  await using run = await openBucketRun();
  const { gcs, pipeline, finish } = run;
  const processor = pipeline.start("processor");
  await checkpoints(gcs, 2);
  for (const status of [503, 429]) {
    const fault = gcs.faults.add({ action: { status }, count: Infinity });
    await expect.poll(() => fault.hits, soon).toBeGreaterThan(2);
    const before = newest(gcs);
    await readsAndPublishes(processor, 1_500);
    expect(newest(gcs)).toEqual(before);
    fault.remove();
    await checkpoints(gcs, 2);
  }
  expect(await scrape(processor, "adstream_fenced_total")).toBe(0);
  await finish(processor);
});

test("GCS lost response: each upload whose answer is lost meets itself as a 412, and is recognised", async () => {
  await using run = await openBucketRun();
  const { gcs, pipeline, finish } = run;
  const processor = pipeline.start("processor");
  await checkpoints(gcs, 2);
  const lost = 8;
  const before = newest(gcs);
  const asked = gcs.requests.length;
  const fault = gcs.faults.add({ operation: "upload", action: "lose-response", count: lost });
  await expect.poll(() => fault.hits, soon).toBe(lost);
  await checkpoints(gcs, 1);
  const uploads = gcs.requests.slice(asked).filter((line) => line.startsWith("upload"));
  // One number each, whatever became of the first attempt: nothing was tried under another one.
  const numbers = newest(gcs).reduce((sum, seq, at) => sum + seq - (before[at] ?? 0), 0);
  expect(uploads.length - new Set(uploads).size).toBe(lost);
  expect(new Set(uploads).size - numbers).toBeLessThanOrEqual(2);
  expect(await scrape(processor, "adstream_fenced_total")).toBe(0);
  expect(await scrape(processor, "adstream_checkpoint_failures_total")).toBe(0);
  await finish(processor);
});

test.each(["before", "after"] as const)(
  "GCS timeout: an upload under way when its writer is killed, that arrives %s the next owner's claim, counts nothing twice",
  async (arrives) => {
    await using run = await openBucketRun();
    const { gcs, pipeline, finish } = run;
    const first = pipeline.start("processor", { name: "processor-1" });
    await checkpoints(gcs, 2);
    const fault = gcs.faults.add({ operation: "upload", action: "late", count: Infinity });
    await expect.poll(() => fault.hits, soon).toBe(2);
    // Not sooner: uploads that the fault came too late for are stored yet.
    const before = newest(gcs);
    await readsAndPublishes(first, 1_500);
    expect(newest(gcs)).toEqual(before);
    first.send("SIGKILL");
    expect(await first.exited).toMatchObject({ signal: "SIGKILL" });
    fault.remove();
    if (arrives === "before") gcs.faults.arrive();
    const arrived = arrives === "before" ? 1 : 0;
    expect(newest(gcs)).toEqual(before.map((seq) => seq + arrived));

    const second = pipeline.start("processor", { name: "processor-2" });
    await second.until("its tasks", ({ status }) => sumOf(status["tasks"], "in") > 0);
    const taken = new Map(gcs.buckets.objects(bucket));
    if (arrives === "after") gcs.faults.arrive();
    // What comes too late finds its name taken, and leaves the claim there alone.
    expect(gcs.buckets.objects(bucket)).toEqual(taken);
    await checkpoints(gcs, 2);
    expect(await scrape(second, "adstream_checkpoints_unreadable_total")).toBe(0);
    expect(await scrape(second, "adstream_fenced_total")).toBe(0);
    await finish(second);
  },
);
