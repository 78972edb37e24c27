import { describe, expect, test } from "vitest";
import {
  type Acquired,
  type AcquireOptions,
  acquireTask,
  type JobIdentity,
} from "../src/acquire.ts";
import { CheckpointLadder } from "../src/checkpoint-ladder.ts";
import { type CheckpointHeader, codeVersion, encodeFrame } from "../src/checkpoint.ts";
import type { PartitionInfo, PayloadCodec } from "../src/ports.ts";
import { Task } from "../src/task.ts";
import { memoryCheckpointStore } from "./conformance/memory-checkpoint-store.ts";
import { testJob } from "./fakes/fake-process.ts";
import { VirtualClock } from "./fakes/virtual-clock.ts";
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
  options: Partial<AcquireOptions> = {},
): Promise<Acquired | undefined> {
  const store = memoryCheckpointStore();
  const frame = encodeFrame(checkpointFrame(2, parts, stateAfterFive()));
  store.objects.set("test/p0000/000000000002", frame);
  for (const [seq, bytes] of Object.entries(more)) {
    store.objects.set(`test/p0000/${seq.padStart(12, "0")}`, bytes);
  }
  return acquireFrom(store, info, options);
}

async function acquireFrom(
  store: ReturnType<typeof memoryCheckpointStore>,
  info: Partial<PartitionInfo> = {},
  options: Partial<AcquireOptions> = {},
): Promise<Acquired | undefined> {
  return acquireTask({
    ...optionsOf(store),
    describe: async () => ({ ...log, ...info }),
    ...options,
  });
}

function optionsOf(store: ReturnType<typeof memoryCheckpointStore>): AcquireOptions {
  let nonces = 0;
  return {
    job,
    partition: 0,
    ladder: new CheckpointLadder(store, "test", 0),
    codec,
    clock: new VirtualClock(),
    describe: async () => log,
    writer: () => ({ instance: "one", nonce: `mine ${nonces++}`, at: "2026-03-01T00:00:00Z" }),
  };
}

describe("a task without history", () => {
  test("begins where the job says, in epoch 0, and has nothing to compare", async () => {
    const acquired = await acquireFrom(memoryCheckpointStore(), { committed: undefined });
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
    const options = optionsOf(store);
    const tops: number[] = [];
    const describe = async (): Promise<PartitionInfo> => {
      tops.push(await options.ladder.top());
      return log;
    };
    await acquireTask({ ...options, describe });
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
      7,
    ],
    ["older code", codeVersion - 1, {}, 4],
    ["older code and a broken object", codeVersion - 1, { 3: torn }, 5],
  ])(
    "with %s goes on in an epoch as much higher as its number, or the same",
    async (_, version, more, jobEpoch) => {
      const acquired = await acquire({ jobEpoch: 3, codeVersion: version }, {}, more);
      expect(acquired?.jobEpoch).toBe(jobEpoch);
    },
  );
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
});

describe("a checkpoint whose frame is sound and whose content is not", () => {
  const brokenAt = (seq: number): Uint8Array =>
    encodeFrame(checkpointFrame(seq, { jobEpoch: 7 }, Buffer.from("no state")));
  const broken = brokenAt(4);

  test("is passed over for the one before it, counts as unreadable, and raises the epoch", async () => {
    const acquired = await acquire({}, {}, { 3: encodeFrame(claimFrame(3, 2)), 4: broken });
    expect(acquired).toMatchObject({ seq: 6, unreadable: 1, fresh: false });
    expect(acquired?.task.nextOffset).toBe(5);
    expect(acquired?.jobEpoch).toBeGreaterThan(0);
  });

  test("may be one of several", async () => {
    const more = {
      3: brokenAt(3),
      4: broken,
      5: Buffer.from("torn"),
      6: encodeFrame(claimFrame(6, 2)),
    };
    expect(await acquire({}, {}, more)).toMatchObject({ seq: 8, unreadable: 3, fresh: false });
  });

  test("ends the process when there is none before it, and says which one it is", async () => {
    const store = memoryCheckpointStore(new Map([["test/p0000/000000000004", broken]]));
    const acquiring = acquireFrom(store, { committed: undefined });
    await expect(acquiring).rejects.toMatchObject({ code: "CHECKPOINT_UNREADABLE", exitCode: 78 });
    await expect(acquiring).rejects.toThrow(/checkpoint 4 contradicts itself/);
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
    await acquireTask({ ...optionsOf(store), codec: bounded });
  }
  expect(sizes).toEqual([state.length, 4 * 2 ** 30]);
});

test("a process that was frozen since its claim halts at nothing that its successor has mended", async () => {
  const store = memoryCheckpointStore();
  const describeLate = async (): Promise<PartitionInfo> => {
    store.objects.set("test/p0000/000000000002", encodeFrame(claimFrame(2, 0)));
    return { ...log, low: 3 };
  };
  expect(await acquireFrom(store, {}, { describe: describeLate })).toBeUndefined();
  const alone = acquireFrom(memoryCheckpointStore(), { low: 3 });
  await expect(alone).rejects.toMatchObject({ code: "STATE_LOST" });
});
