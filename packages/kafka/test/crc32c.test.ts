import * as fc from "fast-check";
import { createRequire } from "node:module";
import { expect, test } from "vitest";

import { crc32c } from "../src/crc32c.ts";

const require = createRequire(import.meta.url);
const kafkajsCrc32c: (
  bytes: Buffer,
) => number = require("kafkajs/src/protocol/recordBatch/crc32C/index.js");

const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);

test.for([
  ["nothing", new Uint8Array(0), 0],
  ["nine digits", Buffer.from("123456789"), 0xe3069283],
  ["32 zeros (RFC 3720 B.4)", new Uint8Array(32), 0x8a9136aa],
  ["32 ones (RFC 3720 B.4)", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["ascending bytes (RFC 3720 B.4)", ascending, 0x46dd794e],
  ["descending bytes (RFC 3720 B.4)", ascending.toReversed(), 0x113fdb5c],
] as const)("the checksum of %s is the published one", ([, bytes, expected]) => {
  expect(crc32c(bytes, 0, bytes.length)).toBe(expected);
});

test("any part of any bytes has the checksum that kafkajs computes for it", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 5_000 }),
      fc.nat(5_000),
      fc.nat(5_000),
      (bytes, a, b) => {
        const start = Math.min(a, b, bytes.length);
        const end = Math.min(Math.max(a, b), bytes.length);
        expect(crc32c(bytes, start, end)).toBe(
          kafkajsCrc32c(Buffer.from(bytes.subarray(start, end))),
        );
      },
    ),
  );
});
