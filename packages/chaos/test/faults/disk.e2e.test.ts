import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ServiceProcess } from "../../src/service-process.ts";
import { scrape } from "./fixture/metrics.ts";
import { openPipeline, type Pipeline, preload, sumOf } from "./fixture/pipeline.ts";
import { finishFlow, patient, said } from "./fixture/proxied.ts";
import { mountSmallDisk } from "./fixture/small-disk.ts";

const args = ["--rate=1000", "--ads=60", "--late-ratio=0.01", "--seed=21"];
const failures = "adstream_checkpoint_failures_total";
/** A busy machine takes its time; a quiet one is there at once. */
const soon = { timeout: 60_000, interval: 50 };

/** A pipeline whose processor's disk can be made to fail. */
async function openFaultyDisk(kind: "small" | "any" = "any"): Promise<
  AsyncDisposable & {
    readonly pipeline: Pipeline;
    readonly processor: (name: string) => ServiceProcess;
    readonly fail: (how: string) => Promise<void>;
    readonly mend: () => Promise<void>;
    readonly finish: (processor: ServiceProcess) => Promise<void>;
  }
> {
  await using opening = new AsyncDisposableStack();
  const pipeline = opening.use(await openPipeline({ settings: patient }));
  const { start, scope } = pipeline;
  const checkpoints = join(scope.directory, "checkpoints");
  const small = kind === "small" ? opening.use(await mountSmallDisk(checkpoints)) : undefined;
  const file = join(scope.directory, "disk-fault");
  const [producer, sink] = [start("producer", { args }), start("sink")];
  const resources = opening.move();
  return {
    pipeline,
    processor: (name) =>
      start("processor", {
        name,
        nodeArguments: preload("process-faults/disk-faults.ts"),
        // Who falls back to an older checkpoint waits this long for the owner before to fall silent.
        settings: { DISK_FAULT_FILE: file, IDLE_TIMEOUT: "5s" },
      }),
    fail: (how) =>
      how === "full" && small ? small.fill() : writeFile(file, how === "full" ? "ENOSPC" : how),
    mend: () => (small ? small.free() : rm(file)),
    finish: (processor) => finishFlow({ pipeline }, { producer, processor, sink }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function reads(processor: ServiceProcess, records: number): Promise<void> {
  const goal = sumOf(processor.status["tasks"], "in") + records;
  await processor.until("reading", ({ status }) => sumOf(status["tasks"], "in") >= goal);
}

test.each([
  ["Disk full", "small", "full"],
  ["read-only directory", "any", "EROFS"],
] as const)(
  "%s: the processor goes on without checkpoints, and a kill costs a longer replay",
  async (_row, kind, how) => {
    await using disk = await openFaultyDisk(kind);
    const { processor, fail, mend, finish } = disk;
    const first = processor("processor-1");
    await reads(first, 500);
    await fail(how);
    await reads(first, 1_500);
    await expect.poll(() => scrape(first, failures), soon).toBeGreaterThan(2);
    first.send("SIGKILL");
    expect(await first.exited).toMatchObject({ signal: "SIGKILL" });

    // Where nothing can be written a new process says so once, and does not try again and again.
    const second = processor("processor-2");
    const { code, stderr } = await second.exited;
    expect([code, stderr.trim().split("\n").length]).toEqual([64, 1]);
    expect(stderr).toContain(`CHECKPOINT_URL`);
    await mend();
    const third = processor("processor-3");
    await reads(third, 500);
    expect(await scrape(third, failures)).toBe(0);
    await finish(third);
  },
);

test("EIO on fsync: twice is passed over, three times in a row ends the process with 70", async () => {
  await using disk = await openFaultyDisk();
  const { processor, fail, mend, finish } = disk;
  const first = processor("processor-1");
  await reads(first, 500);
  await fail("EIO");
  const { code, stderr } = await first.exited;
  expect([code, stderr]).toEqual([70, expect.stringMatching(/fsync below .* 3 times in a row/)]);
  await mend();
  const second = processor("processor-2");
  await reads(second, 500);
  await finish(second);
});

test.each([
  ["torn file", (file: string, bytes: Buffer) => truncate(file, bytes.length >> 1)],
  [
    "bit flip",
    (file: string, bytes: Buffer) => {
      const middle = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(middle) ^ 4, middle);
      return writeFile(file, bytes);
    },
  ],
])("%s: the processor goes back to the checkpoint before it", async (_row, spoil) => {
  await using disk = await openFaultyDisk();
  const { pipeline, processor, finish } = disk;
  const first = processor("processor-1");
  await reads(first, 1_500);
  // A claim, the checkpoint to go back to, and the one to spoil.
  const enough = async (): Promise<number> =>
    (await checkpointFiles(pipeline)).filter((names) => names.length > 2).length;
  await expect.poll(enough, soon).toBe(2);
  first.send("SIGKILL");
  await first.exited;
  for (const names of await checkpointFiles(pipeline)) {
    const newest = names.at(-1) ?? "";
    await spoil(newest, await readFile(newest));
  }
  const second = processor("processor-2");
  await reads(second, 500);
  await second.until("both tasks", (service) => said(service, "task acquired") === 2);
  expect(await scrape(second, "adstream_checkpoints_unreadable_total")).toBe(2);
  await finish(second);
});

/** What each partition has, the oldest first. */
async function checkpointFiles({ scope }: Pipeline): Promise<string[][]> {
  const root = join(scope.directory, "checkpoints");
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const numbered = entries.filter((entry) => entry.isFile() && /^\d+$/.test(entry.name));
  const folders = Map.groupBy(numbered, ({ parentPath }) => parentPath);
  return [...folders].map(([folder, files]) =>
    files.map(({ name }) => join(folder, name)).toSorted(),
  );
}
