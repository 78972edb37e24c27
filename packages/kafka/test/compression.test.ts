import { StreamError } from "@adstream/engine/errors";
import * as fc from "fast-check";
import { compressFrameSync } from "lz4-napi";
import { compressSync as compressSnappy } from "snappy";
import zlib from "node:zlib";
import { describe, expect, test } from "vitest";

import { BodyMemory } from "../src/compression/body-memory.ts";
import { compressionCodecs, decompress, type CompressionCodec } from "../src/compression.ts";

const encoders: Record<CompressionCodec, (bytes: Buffer) => Uint8Array> = {
  none: (bytes) => bytes,
  gzip: (bytes) => zlib.gzipSync(bytes),
  snappy: (bytes) => compressSnappy(bytes),
  lz4: (bytes) => compressFrameSync(bytes),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
};
const packed = compressionCodecs.filter((codec) => codec !== "none");

/** Text with repeats near and far, runs, and noise: what makes encoders use all their elements. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc
        .tuple(fc.nat(255), fc.nat(5000))
        .map(([byte, length]) => new Uint8Array(length).fill(byte)),
      fc.constantFrom("ad_1", "the quick brown fox ", "x").map((text) => Buffer.from(text)),
    ),
    { maxLength: 60 },
  )
  .chain((parts) => fc.array(fc.constantFrom(...parts, new Uint8Array(0)), { maxLength: 200 }))
  .map((parts) => Buffer.concat(parts));

test.for(packed)("%s gives back what a foreign encoder packed", (codec) => {
  fc.assert(
    fc.property(content, (bytes) => {
      const unpacked = decompress(codec, encoders[codec](bytes));
      expect(Buffer.compare(unpacked, bytes)).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test.for(packed)("%s gives back several MiB of records", (codec) => {
  const bytes = Buffer.alloc(3 << 20);
  for (let index = 0; index < bytes.length; index++) bytes[index] = (index * 7919) >>> (index & 7);
  expect(Buffer.compare(decompress(codec, encoders[codec](bytes)), bytes)).toBe(0);
});

test.for(packed)("%s unpacks into memory that is used again, whatever lay there", (codec) => {
  const memory = new BodyMemory();
  fc.assert(
    fc.property(content, (bytes) => {
      const unpacked = decompress(codec, encoders[codec](bytes), undefined, memory);
      expect(Buffer.compare(unpacked, bytes)).toBe(0);
      memory.bytes.fill(0xab);
    }),
    { numRuns: 60 },
  );
});

test.for(packed)(
  "%s leaves a body alone that was not unpacked into memory of the caller's",
  (codec) => {
    const [first, second] = [Buffer.alloc(1000, "ad_1 "), Buffer.alloc(1000, "ad_2 ")];
    const unpacked = decompress(codec, encoders[codec](first));
    decompress(codec, encoders[codec](second));
    expect(Buffer.compare(unpacked, first)).toBe(0);
  },
);

test.for(["lz4", "snappy"] as const)(
  "%s makes no memory for a body like those before it",
  (codec) => {
    const memory = new BodyMemory();
    const input = encoders[codec](Buffer.alloc(1000, "ad_1 "));
    const { buffer } = decompress(codec, input, undefined, memory);
    expect(decompress(codec, input, undefined, memory).buffer).toBe(buffer);
  },
);

test.for(compressionCodecs)("%s stops at the bound on its output", (codec) => {
  const bytes = Buffer.alloc(1 << 20, "x");
  const input = encoders[codec](bytes);
  expect(decompress(codec, input, bytes.length)).toHaveLength(bytes.length);
  expectCorrupt(() => decompress(codec, input, bytes.length - 1));
});

test.for(packed)("%s survives 2,000 mutations with a result or BATCH_CORRUPT", (codec) => {
  const sample = encoders[codec](Buffer.from("ad_1 ad_2 ad_3 ".repeat(20) + "x".repeat(500)));
  const mutation = fc.record({
    cut: fc.nat(sample.length),
    changes: fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { maxLength: 4 }),
    tail: fc.uint8Array({ maxLength: 6 }),
  });
  fc.assert(
    fc.property(mutation, ({ cut, changes, tail }) => {
      const bytes = Uint8Array.from(sample);
      for (const [position, byte] of changes) bytes[position] = byte;
      const input = Buffer.concat([bytes.subarray(0, cut === 0 ? undefined : cut), tail]);
      decodesOrIsCorrupt(codec, input);
    }),
    { numRuns: 2000 },
  );
});

test.for(packed)("%s survives random bytes with a result or BATCH_CORRUPT", (codec) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => decodesOrIsCorrupt(codec, bytes)),
    { numRuns: 1000 },
  );
});

describe("snappy", () => {
  const literal = (text: string): number[] => [(text.length - 1) << 2, ...Buffer.from(text)];
  const xerialHead = [0x82, ...Buffer.from("SNAPPY"), 0, 0, 0, 0, 1, 0, 0, 0, 1];
  const chunk = (block: number[]): number[] => [0, 0, 0, block.length, ...block];

  test.for([
    ["a literal", [3, ...literal("abc")], "abc"],
    [
      "a literal with its length in one byte",
      [61, 60 << 2, 60, ...Buffer.alloc(61, "y")],
      "y".repeat(61),
    ],
    [
      "a literal with its length in two bytes",
      [61, 61 << 2, 60, 0, ...Buffer.alloc(61, "y")],
      "y".repeat(61),
    ],
    ["a literal with its length in four bytes", [2, 63 << 2, 1, 0, 0, 0, 97, 98], "ab"],
    ["a copy with 11 bits of distance", [9, ...literal("abc"), (2 << 2) | 1, 3], "abcabcabc"],
    ["a copy with 16 bits of distance", [5, ...literal("abc"), (1 << 2) | 2, 3, 0], "abcab"],
    ["a copy with 32 bits of distance", [5, ...literal("abc"), (1 << 2) | 3, 2, 0, 0, 0], "abcbc"],
    ["a copy that repeats itself", [9, ...literal("a"), (4 << 2) | 1, 1], "a".repeat(9)],
    [
      "xerial chunks",
      [...xerialHead, ...chunk([3, ...literal("abc")]), ...chunk([1, ...literal("d")])],
      "abcd",
    ],
    ["xerial without chunks", xerialHead, ""],
  ] as [string, number[], string][])("%s is read", ([, bytes, expected]) => {
    expect(Buffer.from(decompress("snappy", Uint8Array.from(bytes))).toString()).toBe(expected);
  });

  test.for([
    ["nothing", []],
    ["an endless length", [255, 255, 255, 255, 255, 255]],
    ["a bomb", [0xff, 0xff, 0xff, 0x0f, ...literal("abc")]],
    ["a copy before the start", [9, ...literal("abc"), (2 << 2) | 1, 4]],
    ["a copy of distance 0", [9, ...literal("abc"), (2 << 2) | 1, 0]],
    ["a copy beyond the stated length", [8, ...literal("abc"), (2 << 2) | 1, 3]],
    ["a literal beyond the input", [9, 8 << 2, 97]],
    ["fewer bytes than stated", [4, ...literal("abc")]],
    [
      "a copy into the chunk before",
      [...xerialHead, ...chunk([3, ...literal("abc")]), ...chunk([4, 1, 3])],
    ],
    ["a chunk longer than the input", [...xerialHead, 0, 0, 0, 9, 1, 0, 97]],
    ["a chunk of negative length", [...xerialHead, 255, 255, 255, 255]],
    ["half a chunk length", [...xerialHead, 0, 0]],
  ] as [string, number[]][])("%s is corrupt", ([, bytes]) => {
    expectCorrupt(() => decompress("snappy", Uint8Array.from(bytes)));
  });
});

describe("lz4", () => {
  const magic = [0x04, 0x22, 0x4d, 0x18];
  const head = (flags: number): number[] => [...magic, flags, 0x40];
  const block = (bytes: number[]): number[] => [bytes.length, 0, 0, 0, ...bytes];
  const end = [0, 0, 0, 0];
  const abcTwice = [0x32, 97, 98, 99, 3, 0, 0x10, 33];
  const anyChecksum = [9, 9, 9, 9];

  test.for([
    ["an uncompressed block", [...head(0x60), 0, 2, 0, 0, 0x80, 104, 105, ...end], "hi"],
    ["a match", [...head(0x60), 0, ...block(abcTwice), ...end], "abcabcabc!"],
    [
      "a match into the block before",
      [...head(0x40), 0, ...block(abcTwice), ...block([0x02, 10, 0, 0x10, 63]), ...end],
      "abcabcabc!abcabc?",
    ],
    [
      "block and content checksums",
      [...head(0x74), 0, ...block(abcTwice), ...anyChecksum, ...end, ...anyChecksum],
      "abcabcabc!",
    ],
    [
      "a content size",
      [...head(0x68), 10, 0, 0, 0, 0, 0, 0, 0, 0, ...block(abcTwice), ...end],
      "abcabcabc!",
    ],
    [
      "a long literal",
      [...head(0x60), 0, ...block([0xf0, 1, ...Buffer.alloc(16, "z")]), ...end],
      "z".repeat(16),
    ],
    [
      "a long match",
      [...head(0x60), 0, ...block([0x1f, 97, 1, 0, 255, 0, 0x10, 98]), ...end],
      `${"a".repeat(1 + 19 + 255)}b`,
    ],
    ["no block", [...head(0x60), 0, ...end], ""],
  ] as [string, number[], string][])("%s is read", ([, bytes, expected]) => {
    expect(Buffer.from(decompress("lz4", Uint8Array.from(bytes))).toString()).toBe(expected);
  });

  test("blocks add up to the bound and not beyond", () => {
    const raw = [0x40, 0x9c, 0, 0x80, ...Buffer.alloc(40_000)];
    const frame = Uint8Array.from([...head(0x60), 0, ...raw, ...raw, ...raw, ...end]);
    expect(decompress("lz4", frame, 120_000)).toHaveLength(120_000);
    expectCorrupt(() => decompress("lz4", frame, 119_999));
    expectCorrupt(() => decompress("lz4", frame, 79_999));
  });

  test.for([
    ["nothing", []],
    ["another magic", [1, 2, 3, 4, 0x60, 0x40, 0, ...end]],
    ["version 0", [...magic, 0x20, 0x40, 0, ...end]],
    ["a dictionary", [...head(0x61), 1, 0, 0, 0, 0, ...end]],
    ["no end", [...head(0x60), 0, ...block(abcTwice)]],
    ["no content checksum", [...head(0x64), 0, ...block(abcTwice), ...end]],
    ["a match before the start", [...head(0x60), 0, ...block([0x12, 97, 2, 0, 0x10, 33]), ...end]],
    ["a match of distance 0", [...head(0x60), 0, ...block([0x12, 97, 0, 0, 0x10, 33]), ...end]],
    ["literals beyond the block", [...head(0x60), 0, ...block([0x50, 97]), ...end]],
    ["a length without an end", [...head(0x60), 0, ...block([0xf0, 255, 255]), ...end]],
    ["half a distance", [...head(0x60), 0, ...block([0x12, 97, 1]), ...end]],
    ["a block that ends with a match", [...head(0x60), 0, ...block([0x12, 97, 1, 0]), ...end]],
    ["a block beyond the block size", [...head(0x60), 0, 1, 0, 1, 0x80, ...end]],
    [
      "a block of 64 KiB and one byte",
      [...head(0x60), 0, 1, 0, 1, 0x80, ...Buffer.alloc(65_537), ...end],
    ],
    ["a block beyond the input", [...head(0x60), 0, 200, 0, 0, 0, 0x10, 97]],
  ] as [string, number[]][])("%s is corrupt", ([, bytes]) => {
    expectCorrupt(() => decompress("lz4", Uint8Array.from(bytes)));
  });
});

function expectCorrupt(run: () => unknown): void {
  expect(run).toThrow(expect.objectContaining({ name: "StreamError", code: "BATCH_CORRUPT" }));
}

function decodesOrIsCorrupt(codec: CompressionCodec, bytes: Uint8Array): void {
  try {
    expect(decompress(codec, bytes, 1 << 20).length).toBeLessThanOrEqual(1 << 20);
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    expect(error.code).toBe("BATCH_CORRUPT");
  }
}
