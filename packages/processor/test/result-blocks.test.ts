import { RecordBlocks } from "@adstream/kafka/record-blocks";
import { beforeEach, expect, test } from "vitest";
import { openResultBlocks, type ResultBlocks } from "../src/result-blocks.ts";

type Send = { readonly keys: string[]; readonly done: PromiseWithResolvers<void> };
let sends: Send[];
let blocks: ResultBlocks;

const text = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString();
const append = (key: string, value = "v"): Promise<void> | undefined =>
  blocks.append(Buffer.from(key), Buffer.from(value));
/** Long enough for whatever is not held up. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

beforeEach(async () => {
  sends = [];
  const publisher = {
    openBlocks: (topic: string) => Promise.resolve(new RecordBlocks(topic, 2)),
    async publishBlocks(sent: RecordBlocks) {
      const send = {
        keys: [...sent.outgoing()].map(({ key }) => text(key)).sort(),
        done: Promise.withResolvers<void>(),
      };
      sends.push(send);
      await send.done.promise;
      sent.clear();
    },
  };
  blocks = await openResultBlocks(publisher, "results");
});

test("what is published in one turn goes out together, and the next while it is on its way", async () => {
  void append("a");
  const first = blocks.flushed();
  void append("b");
  const second = blocks.flushed();
  await turns();
  expect(sends.map(({ keys }) => keys)).toEqual([["a", "b"]]);
  void append("c");
  const third = blocks.flushed();
  await turns();
  expect(sends).toHaveLength(1);
  sends[0]?.done.resolve();
  await Promise.all([first, second]);
  await turns();
  expect(sends.map(({ keys }) => keys)).toEqual([["a", "b"], ["c"]]);
  sends[1]?.done.resolve();
  await third;
});

test("a refused send is told to all who are in it, and to nobody after them", async () => {
  void append("a");
  const refused = [blocks.flushed(), blocks.flushed()];
  await turns();
  void append("b");
  const after = blocks.flushed();
  sends[0]?.done.reject(new Error("refused"));
  for (const one of refused) await expect(one).rejects.toThrow("refused");
  await turns();
  sends[1]?.done.resolve();
  await after;
  void append("c");
  const later = blocks.flushed();
  await turns();
  expect(sends.map(({ keys }) => keys)).toEqual([["a"], ["b"], ["c"]]);
  sends[2]?.done.resolve();
  await later;
});

test("waits where the blocks are full", async () => {
  expect(append("a", "x".repeat(600_000))).toBeUndefined();
  const waiting = append("a", "y");
  expect(waiting).toBeDefined();
  await turns();
  expect(sends).toHaveLength(1);
  sends[0]?.done.resolve();
  await waiting;
  const rest = blocks.flushed();
  await turns();
  expect(sends.map(({ keys }) => keys)).toEqual([["a"], ["a"]]);
  sends[1]?.done.resolve();
  await rest;
});
