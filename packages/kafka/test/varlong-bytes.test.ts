import { createCursor, readVarlong } from "@adstream/kafka/byte-cursor";
import { writeVarlong, writeVarlong48 } from "@adstream/kafka/varlong-bytes";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const into = new Uint8Array(16);
const bounds = [0, 63, 64, 8_191, 8_192, 2 ** 31, 2 ** 37, 2 ** 38, 2 ** 52, 2 ** 53 - 2];
const edges = bounds.flatMap((bound) => [bound, bound + 1, -bound - 1]);
const safe = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(...edges));

test("what is written is read back, in as many bytes as it takes", () => {
  const same = (value: number): void => {
    const end = writeVarlong(into, 3, value);
    const cursor = createCursor(into.subarray(0, end), 3);
    expect(readVarlong(cursor)).toBe(value);
    expect(cursor).toMatchObject({ position: end, fault: 0 });
    expect(into[end - 1] === 0 && end > 4).toBe(false);
  };
  fc.assert(fc.property(safe, same));
});

test("15 bits above 48 are those of the integer they make", () => {
  const same = (high: number, low: number): void => {
    const end = writeVarlong48(into, 0, high, low);
    let zigzag = 0n;
    for (let at = end - 1; at >= 0; at--) zigzag = (zigzag << 7n) | BigInt((into[at] ?? 0) & 0x7f);
    expect(zigzag).toBe(((BigInt(high) << 48n) | BigInt(low)) * 2n);
    expect([...into.subarray(0, end)].findIndex((byte) => byte < 0x80)).toBe(end - 1);
  };
  const low = fc.oneof(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.constantFrom(2 ** 48 - 1));
  fc.assert(fc.property(fc.nat(2 ** 15 - 1), low, same));
});
