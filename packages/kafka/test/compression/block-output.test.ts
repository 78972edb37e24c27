import * as fc from "fast-check";
import { expect, test } from "vitest";

import { blockOf, copyLiteral, copyMatch } from "../../src/compression/block-output.ts";

const length = fc.integer({ min: 0, max: 200 });
/** Between where the copy goes and the end of the output, behind the copy itself. */
const spare = fc.integer({ min: 0, max: 20 });
const message = "compressed body points outside of its data";

test("a match is what copying byte by byte makes of it, however near it is and to the end", () => {
  const written = fc.uint8Array({ minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(written, fc.nat(), length, spare, (before, near, count, room) => {
      const distance = 1 + (near % before.length);
      const expected = [...before];
      for (let index = 0; index < count; index++) expected.push(expected.at(-distance) ?? -1);
      const bytes = new Uint8Array(before.length + count + room);
      bytes.set(before);
      copyMatch(blockOf(bytes), before.length, distance, count);
      expect([...bytes.subarray(0, before.length + count)]).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});

test("a literal is what is there, however near to the ends of what is read and written", () => {
  const input = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(input, fc.nat(), fc.nat(), spare, (source, from, many, room) => {
      const start = from % (source.length + 1);
      const count = many % (source.length - start + 1);
      const bytes = new Uint8Array(3 + count + room);
      copyLiteral(blockOf(source), start, blockOf(bytes), 3, count);
      expect(bytes.subarray(0, 3 + count)).toEqual(
        Uint8Array.of(0, 0, 0, ...source.subarray(start, start + count)),
      );
    }),
    { numRuns: 2_000 },
  );
});

test.for([1, 4, 12, 64, 200])("a copy of %i bytes is refused where they do not fit", (count) => {
  const source = blockOf(new Uint8Array(300));
  const tight = blockOf(new Uint8Array(300 + count - 1));
  expect(() => copyMatch(tight, 300, 100, count)).toThrow(message);
  expect(() => copyLiteral(source, 0, tight, 300, count)).toThrow(message);
  expect(() => copyLiteral(source, 301 - count, blockOf(new Uint8Array(500)), 0, count)).toThrow(
    message,
  );
});

test.for([0, 6, 300])("a match from %i bytes before the fifth byte is refused", (distance) => {
  expect(() => copyMatch(blockOf(new Uint8Array(100)), 5, distance, 8)).toThrow(message);
});
