import type { AssignedPartition } from "@adstream/kafka/assigned-partitions";
import { deliver } from "@adstream/kafka/batch-delivery";
import { readBatchHeader } from "../src/record-batch.ts";
import { heartbeats } from "@adstream/kafka/heartbeats";
import type { EachBatchPayload } from "kafkajs";
import { expect, test } from "vitest";

import { encodeBatch, varint } from "./encode-batch.ts";

const transactional = 0b1_0000;
const control = 0b10_0000;

/** A batch of `count` records of producer `producerId`. */
function data(baseOffset: number, count: number, producerId?: number): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({ offset: baseOffset + i }));
  if (producerId === undefined) return encodeBatch({ records });
  return encodeBatch({ records, producerId, attributes: transactional });
}

/** The marker that ends a transaction: key `version int16 | type int16`. */
function marker(offset: number, producerId: number, type: "abort" | "commit"): Buffer {
  const key = Buffer.from([0, 0, 0, type === "commit" ? 1 : 0]);
  const attributes = transactional | control;
  return encodeBatch({
    records: [{ offset, key, value: Buffer.alloc(6) }],
    producerId,
    attributes,
  });
}

type Fetch = {
  readonly from: number;
  readonly batches: readonly Buffer[];
  readonly end: number;
  readonly aborted?: readonly { producerId: string; firstOffset: string }[];
  readonly compacted?: boolean;
  readonly fetchedOffset?: number;
  readonly recheck?: AssignedPartition["recheck"];
  /** The batch before `from`, where one was read. */
  readonly last?: Buffer;
  /** Where the first open transaction begins. */
  readonly stable?: number;
  /** Called with the partition and what happened so far when the handler gets a batch. */
  readonly onBatch?: (assigned: AssignedPartition, events: string[]) => void;
};

async function fetched({
  from,
  batches,
  end,
  aborted = [],
  compacted = false,
  fetchedOffset = from,
  stable = end,
  recheck,
  last,
  onBatch,
}: Fetch) {
  const events: string[] = [];
  const assigned: AssignedPartition = {
    partition: 0,
    next: from,
    end: undefined,
    stableEnd: undefined,
    checkClock: () => {},
    started: true,
    paused: false,
    last: last && readBatchHeader(last),
    recheck,
    starts: 1,
    resumes: 0,
  };
  const batch = {
    topic: "t",
    partition: 0,
    highWatermark: String(end),
    messages: batches.map((value) => message(value)),
    isEmpty: () => false,
    firstOffset: () => null,
    lastOffset: () => "",
    offsetLag: () => "",
    offsetLagLow: () => "",
    raw: {
      fetchedOffset: String(fetchedOffset),
      lastStableOffset: String(stable),
      abortedTransactions: aborted.map((one) => ({ ...one })),
      assignmentEpoch: 1,
      sizeBytes: 0,
    },
  };
  const payload: EachBatchPayload = {
    batch,
    resolveOffset: (offset) => events.push(`resolved ${offset}`),
    heartbeat: () => Promise.resolve(),
    pause: () => () => {},
    commitOffsetsIfNecessary: () => Promise.resolve(),
    uncommittedOffsets: () => ({ topics: [] }),
    isRunning: () => true,
    isStale: () => false,
  };
  await deliver({
    payload,
    assigned,
    handler: {
      assigned: () => {},
      batch(_partition, _bytes, header, fromOffset) {
        events.push(`batch ${header.baseOffset} from ${fromOffset}`);
        onBatch?.(assigned, events);
        return Promise.resolve("done");
      },
      atLogEnd: (_partition, nextOffset) => events.push(`end ${nextOffset}`),
      beforeRejoin: () => Promise.resolve(),
    },
    beats: heartbeats(() => Promise.resolve(), 60_000),
    compacted,
    current: () => true,
  });
  return { events, next: assigned.next, stableEnd: assigned.stableEnd };
}

function message(value: Buffer): EachBatchPayload["batch"]["messages"][number] {
  return { key: null, value, timestamp: "", attributes: 0, offset: "", headers: {} };
}

test("aborted data and markers are passed over; what others committed meanwhile is not", async () => {
  // offsets  0 1   2      3 4     5          6       7           8
  //          A A   B      A A     B commits  A aborts  A data    A commits
  const batches = [
    data(0, 2, 1),
    data(2, 1, 2),
    data(3, 2, 1),
    marker(5, 2, "commit"),
    marker(6, 1, "abort"),
    data(7, 1, 1),
    marker(8, 1, "commit"),
  ];
  const aborted = [{ producerId: "1", firstOffset: "0" }];
  const { events, next } = await fetched({ from: 0, batches, end: 9, aborted });
  expect(events.filter((event) => !event.startsWith("resolved"))).toEqual([
    "batch 2 from 2",
    "batch 7 from 7",
    "end 9",
  ]);
  expect(next).toBe(9);
});

test("the end of what is committed is known while a transaction is open", async () => {
  const batches = [data(0, 2), data(2, 1)];
  expect(await fetched({ from: 0, batches, end: 9, stable: 3 })).toMatchObject({ stableEnd: 3 });
  expect(await fetched({ from: 0, batches, end: 3 })).toMatchObject({ stableEnd: undefined });
});

test("a fetch that begins within an aborted transaction drops the rest of it", async () => {
  const batches = [data(3, 2, 1), marker(5, 1, "abort"), data(6, 1)];
  const aborted = [{ producerId: "1", firstOffset: "0" }];
  const { events } = await fetched({ from: 4, batches, end: 7, aborted });
  expect(events).toEqual(["resolved 4", "resolved 5", "batch 6 from 6", "resolved 6", "end 7"]);
});

test("data without a transaction is kept although its producer aborts one", async () => {
  const aborted = [{ producerId: "1", firstOffset: "0" }];
  const records = [{ offset: 1 }];
  const batches = [data(0, 1, 1), encodeBatch({ records, producerId: 1 }), marker(2, 1, "abort")];
  const { events } = await fetched({ from: 0, batches, end: 3, aborted });
  expect(events).toContain("batch 1 from 1");
});

test("a marker that follows the last data takes the position to the log end", async () => {
  const batches = [data(0, 1, 1), marker(1, 1, "commit")];
  const { events } = await fetched({ from: 0, batches, end: 2 });
  expect(events.at(-1)).toBe("end 2");
});

test("an empty fetch below the high watermark proves nothing: byte limits and open transactions give such", async () => {
  expect((await fetched({ from: 5, batches: [], end: 7 })).events).toEqual([]);
  expect((await fetched({ from: 7, batches: [], end: 7 })).events).toEqual(["end 7"]);
});

test("a batch that ends below the position is passed over", async () => {
  const { events } = await fetched({ from: 10, batches: [data(0, 10), data(10, 1)], end: 11 });
  expect(events).toContain("batch 10 from 10");
  expect(events).not.toContain("batch 0 from 10");
});

test.each([
  ["a batch further on", { from: 0, batches: [data(0, 5), data(7, 1)], end: 8 }],
  ["a first batch further on", { from: 3, batches: [data(7, 1)], end: 8 }],
  ["a marker further on", { from: 0, batches: [marker(2, 1, "commit")], end: 3 }],
])("offsets that jump stop the source: %s", async (_what, fetch) => {
  await expect(fetched(fetch)).rejects.toMatchObject({ code: "OFFSET_GAP", exitCode: 70 });
});

test("offsets that jump are no loss where the topic is compacted", async () => {
  const batches = [data(0, 5), data(7, 1)];
  const { events } = await fetched({ from: 0, batches, end: 8, compacted: true });
  expect(events).toContain("batch 7 from 5");
});

test.each([10, 30])(
  "a fetch from %d instead of 20 stops the source, even of a compacted topic",
  async (fetchedOffset) => {
    const fetch = { from: 20, fetchedOffset, batches: [data(20, 1)], end: 40, compacted: true };
    await expect(fetched(fetch)).rejects.toMatchObject({ code: "OFFSET_GAP" });
  },
);

test.each([
  ["aborted data", [data(0, 1, 1)], [{ producerId: "1", firstOffset: "0" }]],
  ["a marker", [marker(0, 1, "commit")], []],
])("%s with a wrong checksum is not passed over", async (_what, batches, aborted) => {
  const broken = Buffer.from(batches[0] ?? []);
  broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
  const fetch = { from: 0, batches: [broken], end: 1, aborted };
  await expect(fetched(fetch)).rejects.toMatchObject({ code: "BATCH_CORRUPT" });
});

test("what is no record batch stops the source", async () => {
  const garbage = Buffer.from(varint(1_000).concat(Array.from({ length: 80 }, () => 7)));
  await expect(fetched({ from: 0, batches: [garbage], end: 1 })).rejects.toMatchObject({
    code: "BATCH_CORRUPT",
  });
});

test("a batch that is read once more is passed over where it is the one it was, and the log end means nothing before", async () => {
  const before = data(2, 3);
  const { baseOffset, crc } = readBatchHeader(before);
  const recheck = { offset: 4, mark: { baseOffset, crc } };
  const again = { from: 5, fetchedOffset: 4, end: 5, recheck };
  expect((await fetched({ ...again, batches: [before] })).events).toEqual(["resolved 4", "end 5"]);
  expect((await fetched({ ...again, end: 4, batches: [] })).events).toEqual([]);
  const older = { ...again, fetchedOffset: 5, end: 6, batches: [data(5, 1)] };
  expect((await fetched(older)).events).toEqual(["batch 5 from 5", "resolved 5"]);
});

test.each([
  ["another batch at its place", data(2, 3, 7)],
  ["another batch across its place", data(1, 5)],
])("K5: %s stops the source: the topic was made again", async (_, found) => {
  const { baseOffset, crc } = readBatchHeader(data(2, 3));
  const recheck = { offset: 4, mark: { baseOffset, crc } };
  const reading = fetched({ from: 5, fetchedOffset: 4, batches: [found], end: 9, recheck });
  await expect(reading).rejects.toMatchObject({ code: "LOG_REPLACED", exitCode: 78 });
});

test("K5: a batch that reaches across the end of the one read before stops the source, without a fetch that failed", async () => {
  const fetch = { from: 5, last: data(2, 3), end: 9 };
  await expect(fetched({ ...fetch, batches: [data(3, 4)] })).rejects.toMatchObject({
    code: "LOG_REPLACED",
    exitCode: 78,
  });
  expect((await fetched({ ...fetch, batches: [data(5, 4)] })).events).toContain("batch 5 from 5");
  const within = { from: 5, batches: [data(3, 4)], end: 9 };
  expect((await fetched(within)).events).toContain("batch 3 from 5");
});

/** More than half of what is handed over between two turns of the event loop. */
function large(baseOffset: number): Buffer {
  return encodeBatch({ records: [{ offset: baseOffset, value: Buffer.alloc(150 * 1024) }] });
}

test("the event loop gets its turn in the middle of a large fetch, and none in a small one", async () => {
  const noteTurn = (_: AssignedPartition, events: string[]): void =>
    void (events.length === 1 && setImmediate(() => events.push("turn")));
  const fetch = { from: 0, end: 9, onBatch: noteTurn };
  const { events } = await fetched({ ...fetch, batches: [large(0), large(1), large(2)] });
  const handed = events.filter((event) => !event.startsWith("resolved"));
  expect(handed).toEqual(["batch 0 from 0", "batch 1 from 1", "turn", "batch 2 from 2"]);
  const small = await fetched({ ...fetch, batches: [large(0), data(1, 1), data(2, 1)] });
  expect(small.events).not.toContain("turn");
});

test("what happens to the partition in that turn ends the delivery", async () => {
  const batches = [large(0), large(1), large(2)];
  const changes = [
    (assigned: AssignedPartition): void => void (assigned.paused = true),
    (assigned: AssignedPartition): void => void assigned.starts++,
  ];
  for (const change of changes) {
    const onBatch = (assigned: AssignedPartition): void =>
      void setImmediate(() => change(assigned));
    const { events } = await fetched({ from: 0, batches, end: 9, onBatch });
    expect(events).not.toContain("batch 2 from 2");
  }
});
