import { keyPartition } from "@adstream/kafka/key-partition";
import { RecordBlocks } from "@adstream/kafka/record-blocks";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const record = fc.record({ key: bytes(200), value: fc.option(bytes(20_000), { nil: null }) });

test("what was appended comes out again: by partition, in order, byte for byte", () => {
  const blocks = new RecordBlocks("t", 3);
  fc.assert(
    fc.property(fc.array(record, { maxLength: 200 }), (records) => {
      blocks.clear();
      for (const { key, value } of records) blocks.append(key, value);
      const expected = [0, 1, 2].flatMap((partition) =>
        records.filter(({ key }) => keyPartition(key, 3) === partition),
      );
      const found = [...blocks.outgoing()].map(({ key, value }) => ({
        key: Uint8Array.from(Buffer.from(key)),
        value: value === null ? null : Uint8Array.from(value),
      }));
      expect(found).toEqual(expected);
      expect(blocks.records).toBe(records.length);
    }),
  );
});

test("the bytes are those of the format: a record by hand, the second one's offset 1 behind", () => {
  const blocks = new RecordBlocks("t", 1);
  blocks.append(Buffer.from("k"), Buffer.from("ab"));
  blocks.append(Buffer.from("k"), null);
  expect(blocks.blocks()).toEqual([
    {
      partition: 0,
      records: 2,
      bytes: Buffer.from([18, 0, 0, 0, 2, 0x6b, 4, 0x61, 0x62, 0, 14, 0, 0, 2, 2, 0x6b, 1, 0]),
    },
  ]);
});

test("of a value that is used again only so many bytes are taken, few or many", () => {
  const blocks = new RecordBlocks("t", 1);
  const value = Buffer.alloc(1_000, "abc");
  for (const bytes of [0, 5, 128, 129, 1_000]) blocks.append(Buffer.from("k"), value, bytes);
  const found = [...blocks.outgoing()].map((one) => String(one.value));
  expect(found).toEqual([0, 5, 128, 129, 1_000].map((bytes) => String(value).slice(0, bytes)));
});

test("a block says that it is full before a broker would refuse it, and clearing empties it", () => {
  const blocks = new RecordBlocks("t", 1);
  const value = new Uint8Array(1_000);
  while (!blocks.full) blocks.append(Buffer.from("k"), value);
  const [block] = blocks.blocks();
  expect(block?.bytes.length).toBeGreaterThan(500_000);
  expect(block?.bytes.length).toBeLessThan(530_000);
  blocks.clear();
  expect([blocks.full, blocks.records, blocks.blocks()]).toEqual([false, 0, []]);
});

test("after partitions were added keys are spread over all of them", () => {
  const blocks = new RecordBlocks("t", 1);
  blocks.append(Buffer.from("a"), null);
  blocks.clear();
  blocks.spreadOver(3);
  const keys = Array.from({ length: 30 }, (_, index) => Buffer.from(`key${index}`));
  for (const key of keys) blocks.append(key, null);
  const expected = [0, 1, 2].map((partition) => ({
    partition,
    records: keys.filter((key) => keyPartition(key, 3) === partition).length,
  }));
  expect(blocks.blocks().map(({ partition, records }) => ({ partition, records }))).toEqual(
    expected,
  );
});
