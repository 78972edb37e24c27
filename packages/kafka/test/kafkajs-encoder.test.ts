import * as fc from "fast-check";
import { createRequire } from "node:module";
import { expect, test } from "vitest";

const require = createRequire(import.meta.url);

/** As patched: large buffers are kept as they are until the whole is wanted. */
type Encoder = {
  readonly buffer: Buffer;
  size(): number;
  writeInt32(value: number): Encoder;
  writeBytes(value: Buffer): Encoder;
  writeBuffer(value: Buffer): Encoder;
  writeEncoder(value: Pick<Encoder, "buffer">): Encoder;
  writeEncoderArray(values: readonly Pick<Encoder, "buffer">[]): Encoder;
};
const KafkajsEncoder: new () => Encoder = require("kafkajs/src/protocol/encoder.js");

type Write =
  | { readonly kind: "int32"; readonly value: number }
  | { readonly kind: "bytes" | "buffer" | "foreign"; readonly value: Buffer }
  | { readonly kind: "looked at" }
  | { readonly kind: "encoder" | "encoders"; readonly writes: readonly Write[] };

/** Around the size from which on buffers are kept, and far from it. */
const buffers = fc
  .tuple(fc.constantFrom(0, 1, 600, 4_095, 4_096, 9_000), fc.nat(255))
  .map(([size, fill]) => Buffer.alloc(size, fill));
const { writes } = fc.letrec<{ writes: Write[] }>((tie) => ({
  writes: fc.array(
    fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.record({
        kind: fc.constant("int32"),
        value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      }),
      fc.record({ kind: fc.constantFrom("bytes", "buffer", "foreign"), value: buffers }),
      fc.record({ kind: fc.constant("looked at") }),
      fc.record({ kind: fc.constantFrom("encoder", "encoders"), writes: tie("writes") }),
    ),
    { maxLength: 6 },
  ) as fc.Arbitrary<Write[]>,
}));

function encoded(list: readonly Write[]): Encoder {
  const encoder = new KafkajsEncoder();
  for (const write of list) {
    if (write.kind === "int32") encoder.writeInt32(write.value);
    else if (write.kind === "bytes") encoder.writeBytes(write.value);
    else if (write.kind === "buffer") encoder.writeBuffer(write.value);
    else if (write.kind === "foreign") encoder.writeEncoder(foreign(write.value));
    else if (write.kind === "encoder") encoder.writeEncoder(encoded(write.writes));
    else if (write.kind === "encoders") {
      encoder.writeEncoderArray([encoded(write.writes), foreign(Buffer.from("x"))]);
    } else expect(encoder.buffer.length).toBe(encoder.size());
  }
  return encoder;
}

/** What blocks of records pass for an encoder. */
function foreign(buffer: Buffer): { buf: Buffer; buffer: Buffer } {
  return { buf: buffer, buffer };
}

/** The same bytes, put together by hand. */
function expected(list: readonly Write[]): Buffer {
  return Buffer.concat(
    list.map((write) => {
      if (write.kind === "int32") return int32(write.value);
      if (write.kind === "bytes") return Buffer.concat([int32(write.value.length), write.value]);
      if (write.kind === "buffer" || write.kind === "foreign") return write.value;
      if (write.kind === "encoder") return expected(write.writes);
      if (write.kind === "encoders")
        return Buffer.concat([expected(write.writes), Buffer.from("x")]);
      return Buffer.alloc(0);
    }),
  );
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

test("what was written comes out in order, however large its parts and whenever it is looked at", () => {
  fc.assert(
    fc.property(writes, (list) => {
      const encoder = encoded(list);
      const wanted = expected(list);
      expect(encoder.size()).toBe(wanted.length);
      expect(encoder.buffer.equals(wanted)).toBe(true);
      expect(encoder.buffer.equals(wanted)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
