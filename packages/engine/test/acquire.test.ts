import { describe, expect, test } from "vitest";
import { type Acquired, acquireTask, type JobIdentity } from "../src/acquire.ts";
import { CheckpointLadder } from "../src/checkpoint-ladder.ts";
import { type CheckpointHeader, codeVersion, encodeFrame } from "../src/checkpoint.ts";
import type { PartitionInfo, PayloadCodec } from "../src/ports.ts";
import { Task } from "../src/task.ts";
import { memoryCheckpointStore } from "./conformance/memory-checkpoint-store.ts";
import { testJob } from "./fakes/fake-process.ts";
import { checkpointFrame, claimFrame } from "./fakes/frames.ts";
import { columnsOf, record } from "./logged-records.ts";

const job: JobIdentity = {
  name: "test",
  windowed: testJob,
  topology: "topology",
  startAt: async () => 77,
};
const codec: PayloadCodec = {
  compress: async (bytes) => bytes,
  decompress: async (bytes) => bytes,
};
/** The log as it was when the checkpoint was made: five records, the next one is 5. */
const log: PartitionInfo = {
  clusterId: "cluster",
  topic: "events",
  partitions: 1,
  low: 0,
  high: 5,
  committed: 5,
};

function stateAfterFive(): Uint8Array {
  const task = new Task(testJob, 0, 0);
  const records = [10, 20, 30, 40, 50].map((eventTime, offset) => record(offset, { eventTime }));
  task.apply(columnsOf(records), 5);
  return task.snapshot();
}

const canary = { offset: 4, recordTime: 50, crc: expect.any(Number) };

/** Acquires from a store with one checkpoint, number 2, and the objects given. */
async function acquire(
  parts: Partial<CheckpointHeader> = {},
  info: Partial<PartitionInfo> = {},
  more: Readonly<Record<string, Uint8Array>> = {},
): Promise<Acquired | undefined> {
  const store = memoryCheckpointStore();
  const frame = encodeFrame(checkpointFrame(2, parts, stateAfterFive()));
  store.objects.set("test/p0000/000000000002", frame);
  for (const [seq, bytes] of Object.entries(more)) {
    store.objects.set(`test/p0000/${seq.padStart(12, "0")}`, bytes);
  }
  return acquireFrom(store, info);
}

async function acquireFrom(
  store: ReturnType<typeof memoryCheckpointStore>,
  info: Partial<PartitionInfo> = {},
): Promise<Acquired | undefined> {
  const ladder = new CheckpointLadder(store, "test", 0);
  const writer = { instance: "one", nonce: "mine", at: "2026-03-01T00:00:00Z" };
  return acquireTask(
    job,
    async () => ({ ...log, ...info }),
    0,
    ladder,
    codec,
    () => writer,
  );
}

describe("a task without history", () => {
  test("begins where the job says, in epoch 0, and has nothing to compare", async () => {
    const acquired = await acquireFrom(memoryCheckpointStore());
    expect(acquired).toMatchObject({ jobEpoch: 0, seq: 1, unreadable: 0, fresh: true });
    expect(acquired?.verify).toBeUndefined();
    expect(acquired?.task.nextOffset).toBe(77);
  });

  test.each([
    ["the group never committed", { low: 9, committed: undefined }],
    ["the log still begins at 0", { low: 0, committed: 9 }],
  ])("begins when %s", async (_, info) => {
    expect(await acquireFrom(memoryCheckpointStore(), info)).toMatchObject({ fresh: true });
  });

  test("stops when the group once read it and the log no longer begins at 0", async () => {
    const acquiring = acquireFrom(memoryCheckpointStore(), { low: 1, committed: 9 });
    await expect(acquiring).rejects.toMatchObject({ code: "STATE_LOST", exitCode: 78 });
    await expect(acquiring).rejects.toThrow(/committed offset 9 but CHECKPOINT_URL/);
  });

  test("stops when none of its checkpoints can be read, whatever the log holds", async () => {
    const store = memoryCheckpointStore(
      new Map([["test/p0000/000000000001", Buffer.from("torn")]]),
    );
    const acquiring = acquireFrom(store, { committed: undefined });
    await expect(acquiring).rejects.toMatchObject({ code: "STATE_LOST", disposition: "stop" });
  });
});

describe("a task with a checkpoint", () => {
  test("asks for the log end after its claim, when the owner before can move it no more", async () => {
    const frame = encodeFrame(checkpointFrame(2, {}, stateAfterFive()));
    const store = memoryCheckpointStore(new Map([["test/p0000/000000000002", frame]]));
    const ladder = new CheckpointLadder(store, "test", 0);
    const writer = { instance: "one", nonce: "mine", at: "2026-03-01T00:00:00Z" };
    const tops: number[] = [];
    const asked = async (): Promise<PartitionInfo> => {
      tops.push(await ladder.top());
      return log;
    };
    await acquireTask(job, asked, 0, ladder, codec, () => writer);
    expect(tops).toEqual([3]);
  });

  test("goes on in its epoch and state, and compares the canary", async () => {
    const acquired = await acquire({ jobEpoch: 3 });
    expect(acquired).toMatchObject({ jobEpoch: 3, seq: 3, unreadable: 0, fresh: false });
    expect(acquired?.task.snapshot()).toEqual(stateAfterFive());
    expect(acquired?.verify).toEqual(canary);
  });

  test("does not compare a canary that retention removed", async () => {
    expect((await acquire({}, { low: 4 }))?.verify).toEqual(canary);
    expect((await acquire({}, { low: 5 }))?.verify).toBeUndefined();
  });

  test("takes the decisions of the checkpoint, and has their results to say", async () => {
    const decisions = [{ offset: 5, watermark: 60, why: "idle" as const }];
    const task = (await acquire({ decisions }))?.task;
    expect(task?.aggregate.watermark.decided).toBe(60);
    expect(task?.pendingRows).toBe(1);
  });

  const torn = Buffer.from("torn");
  test.each([
    ["the same code, nothing broken", codeVersion, {}, 3],
    ["a claim on top is not broken", codeVersion, { 3: encodeFrame(claimFrame(3, 2)) }, 3],
    ["one broken object above", codeVersion, { 3: torn }, 5],
    [
      "two broken objects above, a claim between",
      codeVersion,
      { 3: torn, 4: encodeFrame(claimFrame(4, 2)), 5: torn },
      6,
    ],
    ["older code", codeVersion - 1, {}, 4],
    ["older code and a broken object", codeVersion - 1, { 3: torn }, 5],
  ])("with %s goes on in epoch S + 1 + u, or S", async (_, version, more, jobEpoch) => {
    const acquired = await acquire({ jobEpoch: 3, codeVersion: version }, {}, more);
    expect(acquired?.jobEpoch).toBe(jobEpoch);
  });
});

describe("an operator must decide, exit code 78, when", () => {
  test.each<[string, Partial<CheckpointHeader>, Partial<PartitionInfo>, string, RegExp]>([
    [
      "the cluster is another one",
      {},
      { clusterId: "other" },
      "LOG_REPLACED",
      /Kafka cluster cluster, this one is other/,
    ],
    [
      "the log ends before the checkpoint",
      {},
      { high: 4 },
      "LOG_REPLACED",
      /at offset 5, the log ends at 4/,
    ],
    [
      "retention passed the checkpoint",
      {},
      { low: 8, high: 20 },
      "RECORDS_EXPIRED",
      /3 records .* \(offsets 5 to 7\)/,
    ],
    [
      "the topic has fewer partitions than before",
      { log: { ...checkpointFrame(2).header.log, partitions: 4 } },
      {},
      "LOG_REPLACED",
      /4 partitions .* has now 1/,
    ],
    ["settings changed", { topology: "other" }, {}, "STATE_INCOMPATIBLE", /other settings of test/],
    [
      "the code is older than the checkpoint",
      { codeVersion: codeVersion + 1 },
      {},
      "STATE_INCOMPATIBLE",
      /other code/,
    ],
    ["state has another layout", { stateSchemaVersion: 0 }, {}, "STATE_INCOMPATIBLE", /other code/],
  ])("%s", async (_, header, info, code, text) => {
    const acquiring = acquire(header, info);
    await expect(acquiring).rejects.toMatchObject({ code, disposition: "stop", exitCode: 78 });
    await expect(acquiring).rejects.toThrow(text);
  });

  test.each([
    ["the log ends exactly at the checkpoint", { high: 5 }],
    ["the log begins exactly at the checkpoint", { low: 5, high: 9 }],
    ["the topic has more partitions than before", { partitions: 9 }],
  ])("and not when %s", async (_, info) => {
    expect(await acquire({}, info)).toMatchObject({ fresh: false });
  });

  test("the payload is not what the header says", async () => {
    const acquiring = acquire({}, {}, { 3: encodeFrame(checkpointFrame(3, {}, Uint8Array.of(1))) });
    await expect(acquiring).rejects.toMatchObject({ code: "CHECKPOINT_UNREADABLE", exitCode: 78 });
  });
});

test("a payload is never decompressed beyond the size that its header gives", async () => {
  const store = memoryCheckpointStore();
  const sizes: number[] = [];
  const state = stateAfterFive();
  for (const stateBytes of [state.length, 2 ** 50]) {
    store.objects.clear();
    const frame = checkpointFrame(2, { stateBytes }, state);
    store.objects.set("test/p0000/000000000002", encodeFrame(frame));
    const bounded: PayloadCodec = {
      ...codec,
      decompress: async (bytes, maxBytes) => {
        sizes.push(maxBytes);
        return bytes;
      },
    };
    const writer = { instance: "one", nonce: "mine", at: "" };
    await acquireTask(
      job,
      async () => log,
      0,
      new CheckpointLadder(store, "test", 0),
      bounded,
      () => writer,
    );
  }
  expect(sizes).toEqual([state.length, 4 * 2 ** 30]);
});
