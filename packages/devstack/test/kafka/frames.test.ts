import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Frames } from "../../src/kafka/frames.ts";

test("frames come out whole however the stream is cut", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 });
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 90 })), (frames, cuts) => {
      const stream = Buffer.concat(
        frames.flatMap((frame) => {
          const size = Buffer.alloc(4);
          size.writeInt32BE(frame.length);
          return [size, Buffer.from(frame)];
        }),
      );
      const reader = new Frames();
      const out: number[][] = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        for (const frame of reader.push(stream.subarray(at, at + cut))) out.push([...frame]);
        at = Math.min(stream.length, at + cut);
      }
      expect(out).toEqual(frames.map((frame) => [...frame]));
    }),
  );
});

test.each([-1, 0x7fffffff])("a size of %i is refused", (size) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(size);
  expect(() => new Frames().push(bytes)).toThrow(RangeError);
});
