import { createColumns, rejectReasons } from "@adstream/engine/columns";
import { describe, expect, test } from "vitest";

import { composeReader } from "../src/avro-columns.ts";
import type { EventProjection } from "../src/event-projection.ts";
import { createCursor } from "../src/byte-cursor.ts";
import { prefixed } from "./avro-shapes.ts";
import { varint } from "./encode-batch.ts";
import { readValue } from "./read-value.ts";

const byKey: EventProjection = { key: "key", eventTime: "time", numbers: [] };
const byId: EventProjection = { ...byKey, id: "event_id" };
const nullable = ["null", "string"];

function schemaWith(id: unknown): string {
  const fields = [
    { name: "key", type: "string" },
    ...(id === undefined ? [] : [{ name: "event_id", type: id }]),
    { name: "time", type: "long" },
  ];
  return JSON.stringify({ type: "record", name: "E", fields });
}

/** The id of one event, or why it is rejected; -1 where nobody wrote to the columns. */
function readId(id: unknown, datum: readonly number[], by = byId): string | number {
  const columns = createColumns(0, 1);
  columns.idLength[0] = -1;
  const bytes = Uint8Array.from([...prefixed(Buffer.from("a")), ...datum, ...varint(5)]);
  const rejected = readValue(composeReader(schemaWith(id), by), createCursor(bytes), columns, 0);
  if (rejected !== 0) return rejectReasons[rejected] ?? "no reason";
  const [start = 0] = columns.idStart;
  const [length = 0] = columns.idLength;
  return length > 0 ? Buffer.from(bytes.subarray(start, start + length)).toString() : length;
}

const text = (content: string | Uint8Array): number[] => prefixed(Buffer.from(content));

describe("an event id", () => {
  test.each([
    ["a string", "string", text("e1")],
    ["bytes", "bytes", text("e1")],
    ["a string in a union", nullable, [...varint(1), ...text("e1")]],
    ["a string in a union the other way round", ["string", "null"], [...varint(0), ...text("e1")]],
    ["a UUID", { type: "string", logicalType: "uuid" }, text("e1")],
  ])("may be %s", (_, type, datum) => expect(readId(type, datum)).toBe("e1"));

  test.each(["x", "x".repeat(256), "__proto__", "日本", "a\u0000b"])("may be %j", (id) => {
    expect(readId("string", text(id))).toBe(id);
  });

  test("is none where it is null or the writer has none: what was in the columns is overwritten", () => {
    expect(readId(nullable, varint(0))).toBe(0);
    expect(readId(undefined, [])).toBe(0);
  });

  test.each([
    ["empty", "", "event id empty or longer than 256 bytes"],
    ["of 257 bytes", "x".repeat(257), "event id empty or longer than 256 bytes"],
    ["not UTF-8", Uint8Array.of(0x61, 0xff), "event id not UTF-8"],
  ])("%s rejects its record", (_, id, reason) => {
    expect(readId("string", text(id))).toBe(reason);
    expect(readId(nullable, [...varint(1), ...text(id)])).toBe(reason);
  });

  test("that reaches behind its record rejects it", () => {
    expect(readId("string", varint(9))).toBe("length out of bounds");
  });

  test.each(["int", "double", { type: "array", items: "string" }])(
    "of type %j makes a schema unreadable",
    (type) =>
      expect(() => composeReader(schemaWith(type), byId)).toThrow(/event_id .* a string or bytes/),
  );

  test("is skipped, sound or not, when it is not asked for", () => {
    for (const id of ["e1", "", "x".repeat(257), Uint8Array.of(0xff)]) {
      expect(readId("string", text(id), byKey)).toBe(-1);
    }
  });
});
