import * as fc from "fast-check";
import { Partitioners } from "kafkajs";
import { expect, test } from "vitest";

import { keyPartition } from "../src/key-partition.ts";

/** Java's expectations (Utils.murmur2 in Kafka's own UtilsTest), as partitions of 2^31 - 1. */
const javaHashes = [
  ["21", -973_932_308],
  ["foobar", -790_332_482],
  ["a-little-bit-long-string", -985_981_536],
  ["a-little-bit-longer-string", -1_486_304_829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971],
  ["abc", 479_470_107],
] as const;

test.for(javaHashes)("the key %s goes where Java's producer sends it", ([key, hash]) => {
  const partitions = 2 ** 31 - 1;
  expect(keyPartition(Buffer.from(key), partitions)).toBe((hash & 0x7fff_ffff) % partitions);
});

test("every key goes where kafkajs' default partitioner sends it", () => {
  const partition = Partitioners.DefaultPartitioner();
  const key = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(key, fc.integer({ min: 1, max: 60 }), (bytes, partitions) => {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 0,
        replicas: [],
        isr: [],
      }));
      const message = { key: Buffer.from(bytes), value: null };
      expect(keyPartition(bytes, partitions)).toBe(
        partition({ topic: "any", partitionMetadata, message }),
      );
    }),
    { numRuns: 2_000 },
  );
});
