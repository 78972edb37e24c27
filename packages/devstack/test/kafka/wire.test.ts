import * as fc from "fast-check";
import { expect, test } from "vitest";
import { WireReader, WireWriter } from "../../src/kafka/wire.ts";

function written(flexible: boolean, write: (out: WireWriter) => void): Buffer {
  const out = new WireWriter(flexible);
  write(out);
  const bytes = Buffer.concat(out.finish());
  expect(out.sizeBytes).toBe(bytes.length);
  return bytes;
}

test.each([false, true])("what was written is read back (flexible: %s)", (flexible) => {
  const item = fc.record({
    name: fc.string({ unit: "binary", maxLength: 300 }),
    note: fc.option(fc.string()),
    offset: fc.maxSafeInteger(),
    code: fc.integer({ min: -0x8000, max: 0x7fff }),
    bytes: fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), (items) => {
      const bytes = written(flexible, (out) => {
        out.array(items, (one) => {
          out.string(one.name).nullableString(one.note).int64(one.offset).int16(one.code);
          out.bytes(one.bytes).tags();
        });
      });
      const input = new WireReader(bytes, flexible);
      const read = input.array(() => {
        const one = {
          name: input.string(),
          note: input.nullableString(),
          offset: input.int64(),
          code: input.int16(),
          bytes: Buffer.from(input.bytes()),
        };
        input.tags();
        return one;
      });
      const expected = items.map((one) => ({ ...one, name: Buffer.from(one.name).toString() }));
      expect(read).toEqual(expected.map((one) => ({ ...one, note: asUtf8(one.note) })));
      expect(input.position).toBe(bytes.length);
    }),
  );
});

/** Lone surrogates have no bytes in UTF-8. */
function asUtf8(text: string | null): string | null {
  return text === null ? null : Buffer.from(text).toString();
}

test("record bytes are referenced, not copied", () => {
  const records = Buffer.alloc(10);
  const out = new WireWriter(false);
  out.int32(1).records([records], records.length).int32(2);
  expect(out.finish().filter((piece) => piece === records)).toHaveLength(1);
});

test.each([
  { name: "a string longer than the request", bytes: [0, 9, 65] },
  { name: "half an integer", bytes: [1] },
])("$name is an error, not a short value", ({ bytes }) => {
  expect(() => new WireReader(Buffer.from(bytes), false).string()).toThrow(RangeError);
});

test("an array that says it has more items than the request has bytes is an error", () => {
  const input = new WireReader(Buffer.from([0x7f, 0, 0, 0]), false);
  expect(() => input.array(() => input.int8())).toThrow(RangeError);
});

test("tagged fields are skipped", () => {
  const input = new WireReader(Buffer.from([2, 0, 1, 99, 5, 2, 98, 97, 42]), true);
  input.tags();
  expect(input.int8()).toBe(42);
});
