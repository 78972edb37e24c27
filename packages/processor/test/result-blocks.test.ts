import { RecordBlocks } from "@adstream/kafka/record-blocks";
import { beforeEach, expect, test } from "vitest";
import { openResultBlocks, type ResultBlocks } from "../src/result-blocks.ts";

type Send = { readonly keys: string[]; readonly done: PromiseWithResolvers<void> };
let sends: Send[];
let blocks: ResultBlocks;

const text = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString();
const append = (key: string, value = "v"): void => {
  const record = { key: Buffer.from(key), value: Buffer.from(value) };
  blocks.append({ ...record, keyBytes: record.key.length, valueBytes: record.value.length });
};
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
  append("a");
  const first = blocks.flushed();
  append("b");
  const second = blocks.flushed();
  await turns();
  expect(sends.map(({ keys }) => keys)).toEqual([["a", "b"]]);
  append("c");
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
  append("a");
  const refused = [blocks.flushed(), blocks.flushed()];
  await turns();
  append("b");
  const after = blocks.flushed();
  sends[0]?.done.reject(new Error("refused"));
  for (const one of refused) await expect(one).rejects.toThrow("refused");
  await turns();
  sends[1]?.done.resolve();
  await after;
  append("c");
  const later = blocks.flushed();
  await turns();
  expect(sends.map(({ keys }) => keys)).toEqual([["a"], ["b"], ["c"]]);
  sends[2]?.done.resolve();
  await later;
});

test("is full until what fills the blocks is on its way", async () => {
  expect(blocks.full).toBe(false);
  append("a", "x".repeat(600_000));
  expect(blocks.full).toBe(true);
  const sent = blocks.flushed();
  await turns();
  expect(blocks.full).toBe(false);
  append("a", "y");
  sends[0]?.done.resolve();
  await sent;
  const rest = blocks.flushed();
  await turns();
  expect(sends.map(({ keys }) => keys)).toEqual([["a"], ["a"]]);
  sends[1]?.done.resolve();
  await rest;
});
