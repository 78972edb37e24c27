import * as fc from "fast-check";
import { expect, test } from "vitest";

import { FrameBuffers } from "../src/frame-buffers.ts";
import { ResponseFrames } from "../src/response-frames.ts";

/** Frames that come out when `stream` is read in steps of at most the given sizes, like a socket does. */
function framesOf(stream: Uint8Array, sizes: readonly number[]): (Buffer | "refused")[] {
  const frames = new ResponseFrames(new FrameBuffers());
  const found: (Buffer | "refused")[] = [];
  for (let at = 0, step = 0; at < stream.length; step++) {
    const { space } = frames;
    expect(space.length).toBeGreaterThan(0);
    const count = Math.min(space.length, sizes[step % sizes.length] ?? 1, stream.length - at);
    space.set(stream.subarray(at, at + count));
    at += count;
    const frame = frames.fill(count);
    if (frame !== "partial") found.push(frame);
    if (frame === "refused") return found;
  }
  return found;
}

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
      const found = framesOf(Buffer.concat(sent.map(framed)), sizes);
      expect(found.map((frame) => frame.toString("hex"))).toEqual(
        sent.map((body) => framed(body).toString("hex")),
      );
    }),
    { numRuns: 1_000 },
  );
});

test("an answer without content is a frame: SASL has them", () => {
  expect(framesOf(Buffer.alloc(8), [8])).toEqual([Buffer.alloc(4), Buffer.alloc(4)]);
});

test.for([
  ["of a web server", "HTTP/1.1 400 Bad Request"],
  ["that is negative", "\xff\xff\xff\xff"],
])("a length %s is refused before memory is taken for it", ([, text]) => {
  expect(framesOf(Buffer.from(text ?? "", "latin1"), [100])).toEqual(["refused"]);
});
