import { rejectCode } from "@adstream/engine/columns";
import { expect, test } from "vitest";

import { frame, frameSchemaId } from "../src/wire-format.ts";

test.for([0, 1, 42, 0x01020304, 2 ** 31 - 1])("schema id %d comes back from its frame", (id) => {
  const payload = Buffer.from([7, 8, 9]);
  const framed = frame(id, payload);
  expect([...framed]).toEqual([
    0,
    id >>> 24,
    (id >>> 16) & 255,
    (id >>> 8) & 255,
    id & 255,
    7,
    8,
    9,
  ]);
  const around = Buffer.concat([Buffer.from([1, 2]), framed, Buffer.from([3])]);
  expect(frameSchemaId(around, 2, framed.length)).toBe(id);
});

test.for([
  ["an empty value", [], "short frame"],
  ["four bytes", [0, 0, 0, 1], "short frame"],
  ["magic byte 1", [1, 0, 0, 0, 1, 2], "wrong magic byte"],
  ["JSON", [...Buffer.from('{"ad_id":1}')], "wrong magic byte"],
] as const)("%s has no schema id but a reason: %s", ([, bytes, reason]) => {
  const value = Uint8Array.from(bytes);
  expect(frameSchemaId(value, 0, value.length)).toBe(-rejectCode(reason));
});

test("an id with the highest bit set is a number above the registry's, not a reason", () => {
  expect(frameSchemaId(Uint8Array.of(0, 255, 255, 255, 255), 0, 5)).toBe(0xffffffff);
});
