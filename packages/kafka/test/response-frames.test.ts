import * as fc from "fast-check";
import { expect, test } from "vitest";

import { ResponseFrames } from "../src/response-frames.ts";

function framed(body: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeInt32BE(body.length, 0);
  frame.set(body, 4);
  return frame;
}

test("frames come out as they were sent, however the bytes were cut", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(bodies, cuts, (sent, sizes) => {
      const frames = new ResponseFrames();
      const stream = Buffer.concat(sent.map(framed));
      const found: Buffer[] = [];
      for (let at = 0, cut = 0; at < stream.length; cut++) {
        const size = sizes[cut % sizes.length] ?? 1;
        // Read into a buffer that is used again at once, as a socket does.
        const piece = Uint8Array.from(stream.subarray(at, at + size));
        found.push(...(frames.take(piece) ?? []));
        piece.fill(0xee);
        at += size;
      }
      expect(found.map((frame) => frame.toString("hex"))).toEqual(
        sent.map((body) => framed(body).toString("hex")),
      );
    }),
    { numRuns: 1_000 },
  );
});

test("an answer without content is a frame: SASL has them", () => {
  expect(new ResponseFrames().take(Buffer.alloc(8))).toEqual([Buffer.alloc(4), Buffer.alloc(4)]);
});

test.for([
  ["of a web server", "HTTP/1.1 400 Bad Request"],
  ["that is negative", "\xff\xff\xff\xff"],
])("a length %s is refused before memory is taken for it", ([, text]) => {
  const frames = new ResponseFrames();
  expect(frames.take(Buffer.from(text ?? "", "latin1"))).toBeUndefined();
});
