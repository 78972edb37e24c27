import { createColumns, rejectReasons, type RecordColumns } from "@adstream/engine/columns";
import avro from "avsc";
import * as fc from "fast-check";
import { isUtf8 } from "node:buffer";
import { describe, expect, test } from "vitest";

import { composeReader } from "../src/avro-columns.ts";
import type { EventProjection } from "../src/event-projection.ts";
import { createCursor } from "../src/byte-cursor.ts";
import { datumOf, leaf, prefixed, schemaOf, shape, union, type Field } from "./avro-shapes.ts";
import { varint } from "./encode-batch.ts";
import { readValue } from "./read-value.ts";

const projection: EventProjection = {
  key: "key",
  eventTime: "time",
  numbers: [
    { field: "clicks", min: 0, max: 2 ** 31 - 1 },
    { field: "cost", min: -1e9, max: 1e9 },
    { field: "weight", min: 0, max: 10, default: 1 },
  ],
};

type Row = { key: string; eventTime: number; values: number[] } | { rejected: string };

/** Reads a datum in the middle of other bytes, and at their end, which must not matter. */
function read(schema: unknown, datum: readonly number[], by = projection): Row {
  const reader = composeReader(JSON.stringify(schema), by);
  const columns = createColumns(by.numbers.length, 4);
  const readBefore = (...following: number[]): Row => {
    const cursor = createCursor(Uint8Array.from([0xff, 0x02, ...datum, ...following]), 2);
    cursor.end = 2 + datum.length;
    return rowOf(columns, readValue(reader, cursor, columns, 3), cursor.bytes);
  };
  const row = readBefore(0x80, 0x00, 0xff);
  expect(readBefore()).toEqual(row);
  return row;
}

function rowOf(columns: RecordColumns, rejected: number, bytes: Uint8Array): Row {
  if (rejected !== 0) return { rejected: rejectReasons[rejected] ?? `reason ${rejected}` };
  const start = columns.keyStart[3]!;
  return {
    key: Buffer.from(bytes.subarray(start, start + columns.keyLength[3]!)).toString("hex"),
    eventTime: columns.eventTime[3]!,
    values: columns.values.map((column) => column[3]!),
  };
}

describe("against avsc", () => {
  const nullable = (kind: "int" | "long" | "float" | "double" | "string" | "bytes") =>
    fc.constantFrom(
      leaf(kind),
      union(leaf("null"), leaf(kind)),
      union(leaf(kind), leaf("null")),
      union(leaf("boolean"), leaf(kind), leaf("null")),
    );
  const number = fc.constantFrom("int", "long", "float", "double").chain(nullable);
  const time = fc.oneof(
    fc.constantFrom("int", "long").chain(nullable),
    fc
      .constantFrom("timestamp-millis", "timestamp-micros")
      .map((logicalType) => ({ kind: "long", logicalType }) as const),
  );
  const wanted = fc.tuple(
    fc.record({
      name: fc.constant("key"),
      shape: fc.constantFrom("string", "bytes").chain(nullable),
    }),
    fc.record({ name: fc.constant("time"), shape: time }),
    fc.record({ name: fc.constant("clicks"), shape: number }),
    fc.record({ name: fc.constant("cost"), shape: number }),
  );
  const weight = fc.option(fc.record({ name: fc.constant("weight"), shape: number }));
  const extra = fc
    .array(shape, { maxLength: 4 })
    .map((shapes) => shapes.map((inner, index) => ({ name: `x${index}`, shape: inner })));
  /** Projected fields and others of every type, in any order, `weight` sometimes missing. */
  const writer = fc
    .tuple(wanted, weight, extra)
    .map(([fields, optional, others]) => [...fields, ...(optional ? [optional] : []), ...others])
    .chain((fields) => fc.shuffledSubarray(fields, { minLength: fields.length }))
    .chain((fields: Field[]) =>
      fc.record({
        fields: fc.constant(fields),
        datum: datumOf({ kind: "record", fields }),
        cut: fc.nat(),
      }),
    );

  test("any writer's datum is the row that avsc's value makes", () => {
    fc.assert(
      fc.property(writer, ({ fields, datum }) => {
        const schema = schemaOf({ kind: "record", fields });
        const type = avro.Type.forSchema(Object(schema), { wrapUnions: "always" });
        const value = type.fromBuffer(Buffer.from(datum));
        expect(read(schema, datum)).toEqual(expected(fields, value));
      }),
      { numRuns: 1500 },
    );
  });

  test("a datum cut short anywhere is rejected", () => {
    fc.assert(
      fc.property(writer, ({ fields, datum, cut }) => {
        const schema = schemaOf({ kind: "record", fields });
        expect(read(schema, datum.slice(0, cut % datum.length))).toHaveProperty("rejected");
      }),
      { numRuns: 1000 },
    );
  });

  test("whatever the bytes, the outcome is a row or a reason", () => {
    fc.assert(
      fc.property(writer, fc.array(fc.nat(255), { maxLength: 60 }), ({ fields }, bytes) => {
        read(schemaOf({ kind: "record", fields }), bytes);
      }),
      { numRuns: 2000 },
    );
  });

  function expected(fields: readonly Field[], value: Record<string, unknown>): Row {
    const row = { key: "", eventTime: 0, values: [0, 0, 1] };
    for (const { name, shape } of fields) {
      if (name.startsWith("x")) continue;
      const wrapped = value[name];
      const plain: unknown =
        shape.kind === "union" && wrapped !== null ? Object.values(Object(wrapped))[0] : wrapped;
      if (typeof plain === "boolean") return { rejected: "unreadable schema" };
      const rejected = place(row, name, plain, shape);
      if (rejected !== undefined) return { rejected };
    }
    return row;
  }

  function place(
    row: { key: string; eventTime: number; values: number[] },
    name: string,
    plain: unknown,
    shape: Field["shape"],
  ): string | undefined {
    if (name === "key") {
      const bytes = Buffer.isBuffer(plain)
        ? plain
        : Buffer.from(typeof plain === "string" ? plain : "");
      if (bytes.length === 0 || bytes.length > 256) return "key empty or longer than 256 bytes";
      if (!isUtf8(bytes)) return "key not UTF-8";
      row.key = bytes.toString("hex");
      return undefined;
    }
    if (name === "time") {
      const micros = "logicalType" in shape && shape.logicalType === "timestamp-micros";
      const time =
        plain === null ? Number.NaN : micros ? Math.floor(Number(plain) / 1000) : Number(plain);
      if (!(Math.abs(time) <= 8.64e15)) return "timestamp out of range";
      row.eventTime = time;
      return undefined;
    }
    const index = projection.numbers.findIndex(({ field }) => field === name);
    const number = plain === null ? Number.NaN : Number(plain);
    if (!Number.isFinite(number)) return "number not finite";
    const { min, max } = projection.numbers[index]!;
    if (number < min || number > max) return "number out of range";
    row.values[index] = number;
    return undefined;
  }
});

/** A writer with the wanted fields only, and a value of each. */
function event(
  types: { key?: unknown; time?: unknown; clicks?: unknown; cost?: unknown } = {},
): unknown {
  const { key = "string", time = "long", clicks = "int", cost = "double" } = types;
  return {
    type: "record",
    name: "E",
    namespace: "test",
    fields: Object.entries({ key, time, clicks, cost }).map(([name, type]) => ({ name, type })),
  };
}
const double = (value: number): number[] => [...new Uint8Array(Float64Array.of(value).buffer)];
const key = (...bytes: number[]): number[] => prefixed(Uint8Array.from(bytes));
const rest = [...varint(5), ...varint(1), ...double(1)];

describe("keys", () => {
  const good = ["__proto__", "constructor", "$where", "a.b", "\u0000", "a\u0000b", "x".repeat(256)];
  test.for([
    ...good,
    "é",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "😀",
    "\u{10ffff}",
    "a😀b",
  ])("%j is a key", (text) => {
    const bytes = Buffer.from(text);
    const row = read(event(), [...key(...bytes), ...rest]);
    expect(row).toEqual({ key: bytes.toString("hex"), eventTime: 5, values: [1, 1, 1] });
  });

  test.for([
    ["nothing", []],
    ["257 bytes", [...Buffer.alloc(257, "x")]],
  ] as [string, number[]][])("%s are no key for their size", ([, bytes]) => {
    const row = read(event(), [...key(...bytes), ...rest]);
    expect(row).toEqual({ rejected: "key empty or longer than 256 bytes" });
  });

  test.for([
    ["an overlong slash in two bytes", [0xc0, 0xaf]],
    ["an overlong NUL in two bytes", [0xc0, 0x80]],
    ["an overlong character in two bytes", [0xc1, 0xbf]],
    ["an overlong character in three bytes", [0xe0, 0x9f, 0xbf]],
    ["an overlong character in four bytes", [0xf0, 0x8f, 0xbf, 0xbf]],
    ["a high surrogate", [0xed, 0xa0, 0x80]],
    ["a low surrogate", [0xed, 0xbf, 0xbf]],
    ["a character beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a lead beyond U+10FFFF", [0xf5, 0x80, 0x80, 0x80]],
    ["a lead of five bytes", [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ["a lone continuation", [0x61, 0x80]],
    ["two bytes cut short", [0x61, 0xc3]],
    ["three bytes cut short", [0xe2, 0x82]],
    ["four bytes cut short", [0xf0, 0x9f, 0x98]],
    ["a broken third byte", [0xe2, 0x82, 0x28]],
    ["0xff", [0xff]],
  ] as [string, number[]][])("%s is not UTF-8", ([, bytes]) => {
    expect(read(event(), [...key(...bytes), ...rest])).toEqual({ rejected: "key not UTF-8" });
    expect(read(event({ key: "bytes" }), [...key(...bytes), ...rest])).toEqual({
      rejected: "key not UTF-8",
    });
  });

  test("a character does not go on in the bytes behind the key", () => {
    const datum = [...key(0x61, 0xc3), ...varint(64), ...rest.slice(1)];
    expect(datum).toContain(0x80);
    expect(read(event(), datum)).toEqual({ rejected: "key not UTF-8" });
  });

  test("a key is UTF-8 exactly when Node says so", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.array(fc.constantFrom(0x41, 0x80, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4), {
        minLength: 1,
        maxLength: 5,
      }),
    );
    fc.assert(
      fc.property(bytes, (each) => {
        const row = read(event(), [...key(...each), ...rest]);
        expect("key" in row).toBe(isUtf8(Uint8Array.from(each)));
      }),
      { numRuns: 3000 },
    );
  });

  test("a length bomb is out of bounds", () => {
    for (const length of [-1n, 13n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const row = read(event(), [...varint(length), 0x61, ...rest.slice(0, 10)]);
      expect(row).toEqual({ rejected: "length out of bounds" });
    }
  });
});

describe("times", () => {
  const micros = { type: "long", logicalType: "timestamp-micros" };
  test.for([
    ["long", 8.64e15, 8.64e15],
    ["long", -8.64e15, -8.64e15],
    ["long", 0, 0],
    ["long", -1, -1],
    [micros, 1999, 1],
    [micros, -1, -1],
    [micros, -1000, -1],
    [micros, -1001, -2],
    [micros, 2 ** 53 - 1, 9_007_199_254_740],
    ["int", -5, -5],
  ] as [unknown, number, number][])("%j of %d is %d ms", ([time, value, expectedMs]) => {
    const row = read(event({ time }), [...key(97), ...varint(value), ...rest.slice(1)]);
    expect(row).toMatchObject({ eventTime: expectedMs });
  });

  test.for([
    ["long", 8_640_000_000_000_001n],
    ["long", -8_640_000_000_000_001n],
    ["long", 2n ** 63n - 1n],
    ["long", -(2n ** 63n)],
    [micros, 2n ** 53n],
    [micros, 2n ** 53n + 1n],
    [micros, -(2n ** 53n)],
    ["int", 2n ** 31n],
  ] as [unknown, bigint][])("%j of %d is out of range", ([time, value]) => {
    const row = read(event({ time }), [...key(97), ...varint(value), ...rest.slice(1)]);
    expect(row).toEqual({ rejected: "timestamp out of range" });
  });
});

describe("numbers", () => {
  const wide: EventProjection = {
    ...projection,
    numbers: [{ field: "clicks", min: -Number.MAX_VALUE, max: Number.MAX_VALUE }],
  };
  const clicks = (type: unknown, datum: number[], by = wide): Row =>
    read(event({ clicks: type }), [...key(97), ...varint(5), ...datum, ...double(0)], by);

  test.for([
    ["int", -(2n ** 31n)],
    ["int", 2n ** 31n - 1n],
    ["long", 2n ** 53n - 1n],
    ["long", -(2n ** 53n) + 1n],
    ["long", -(2n ** 52n) - 1n],
    ["long", -(2n ** 52n) - 3n],
  ] as [string, bigint][])("%s %d is exact", ([type, value]) => {
    expect(clicks(type, varint(value))).toMatchObject({ values: [Number(value)] });
  });

  test.for([
    ["int", 2n ** 31n],
    ["int", -(2n ** 31n) - 1n],
    ["int", 2n ** 40n],
    ["long", 2n ** 53n],
    ["long", 2n ** 53n + 1n],
    ["long", -(2n ** 53n)],
    ["long", 2n ** 63n - 1n],
    ["long", -(2n ** 63n)],
  ] as [string, bigint][])("%s %d is out of range", ([type, value]) => {
    expect(clicks(type, varint(value))).toEqual({ rejected: "number out of range" });
  });

  test.for([
    [-1, "number out of range"],
    [10.000001, "number out of range"],
    [Number.NaN, "number not finite"],
    [Infinity, "number not finite"],
    [-Infinity, "number not finite"],
  ] as [number, string][])(
    "a double of %d outside 0 to 10 is rejected: %s",
    ([value, rejected]) => {
      const bounded = { ...projection, numbers: [{ field: "clicks", min: 0, max: 10 }] };
      expect(clicks("double", double(value), bounded)).toEqual({ rejected });
    },
  );

  test.for([0, -0, 10])("a double of %d is within 0 to 10", (value) => {
    const bounded = { ...projection, numbers: [{ field: "clicks", min: 0, max: 10 }] };
    expect(clicks("double", double(value), bounded)).toMatchObject({ values: [value] });
  });

  test("a varint longer than ten bytes is malformed", () => {
    const nine = Array.from({ length: 9 }, () => 0x80);
    expect(clicks("long", [...nine, 0x00])).toMatchObject({ values: [0] });
    expect(clicks("long", [...nine, 0x80, 0x00])).toEqual({
      rejected: "truncated or malformed Avro",
    });
  });

  test("an unknown branch of a union is malformed", () => {
    for (const branch of [2, -1, 2 ** 40]) {
      const row = clicks(["null", "int"], [...varint(branch), 2]);
      expect(row).toEqual({ rejected: "truncated or malformed Avro" });
    }
  });
});

describe("skipped fields", () => {
  const malformed = { rejected: "truncated or malformed Avro" };
  const outOfBounds = { rejected: "length out of bounds" };
  const good = [...key(97), ...rest];
  const goodRow = { key: "61", eventTime: 5, values: [1, 1, 1] };
  const withExtra = (type: unknown): unknown => {
    const schema = Object(event());
    return { ...schema, fields: [{ name: "extra", type }, ...schema.fields] };
  };
  const array = (items: unknown): unknown => ({ type: "array", items });
  const list = {
    type: "record",
    name: "List",
    fields: [{ name: "next", type: ["null", "List"] }],
  };
  const emptyRecord = { type: "record", name: "Empty", fields: [{ name: "n", type: "null" }] };

  test.for([
    ["billions of nulls", array("null"), [...varint(2 ** 32), 0]],
    ["billions of empty records", array(emptyRecord), [...varint(2 ** 52), 0]],
    ["billions of nulls in a sized block", array("null"), [...varint(-(2 ** 40)), 0, 0]],
    [
      "a sized block is skipped by its size",
      array("int"),
      [...varint(-9), ...varint(3), 1, 2, 3, 0],
    ],
    ["a list of 400", list, [...Array.from({ length: 400 }, () => 2), 0]],
    [
      "5,000 unions",
      array(["null", "int"]),
      [...varint(5000), ...Array.from({ length: 5000 }, () => 0), 0],
    ],
    ["a long of ten bytes", "long", [...Array.from({ length: 9 }, () => 0x80), 1]],
    ["a fixed of nothing", { type: "fixed", name: "F", size: 0 }, []],
  ] as [string, unknown, number[]][])("%s are passed over", ([, type, datum]) => {
    expect(read(withExtra(type), [...datum, ...good])).toEqual(goodRow);
  });

  test.for([
    ["more ints than bytes", array("int"), [...varint(2 ** 40), 1, 1], outOfBounds],
    ["a block larger than the datum", array("int"), [...varint(-1), ...varint(99)], outOfBounds],
    ["a block of negative size", array("int"), [...varint(-1), ...varint(-1)], outOfBounds],
    [
      "a map key of negative length",
      { type: "map", values: "int" },
      [...varint(1), 1],
      outOfBounds,
    ],
    [
      "a long of eleven bytes",
      "long",
      [...Array.from({ length: 10 }, () => 0x80), 1, ...good],
      malformed,
    ],
    ["bytes beyond the datum", "bytes", [...varint(99)], outOfBounds],
    ["a fixed beyond the datum", { type: "fixed", name: "F", size: 99 }, [], malformed],
    ["a union without such a branch", ["null", "int"], [...varint(7)], malformed],
    ["a list of 100,000", list, Array.from({ length: 100_000 }, () => 2), malformed],
    ["a list without an end", list, [2, 2, 2, 2], malformed],
  ] as [string, unknown, number[], Row][])("%s are rejected", ([, type, datum, row]) => {
    expect(read(withExtra(type), datum)).toEqual(row);
  });

  test("records of records of records without bytes take no time", () => {
    let type: unknown = "int";
    for (let level = 0; level < 27; level++) {
      const fields = [
        { name: "a", type },
        { name: "b", type: level === 0 ? "int" : `L${level - 1}` },
      ];
      type = { type: "record", name: `L${level}`, fields };
    }
    const start = process.threadCpuUsage();
    expect(read(withExtra(type), [2])).toEqual(malformed);
    expect(process.threadCpuUsage(start).user).toBeLessThan(200_000);
  });

  test("bytes after the record are rejected", () => {
    expect(read(event(), [...good, 0])).toEqual({ rejected: "trailing bytes" });
  });
});

describe("schemas", () => {
  const named = (name: string, type: unknown): unknown => {
    const schema = Object(event());
    return { ...schema, fields: [...schema.fields, { name, type }] };
  };
  const nestedRecord = (name: string, field: string): unknown => ({
    type: "record",
    name,
    fields: [{ name: field, type: "int" }],
  });

  test.for([
    ["no record", "string", /string, not a record/],
    ["another type of key", event({ key: "int" }), /field key of schema test\.E .*string or bytes/],
    ["a double as time", event({ time: "double" }), /field time of schema test\.E .*timestamp/],
    ["a date as time", event({ time: { type: "int", logicalType: "date" } }), /field time/],
    [
      "local time",
      event({ time: { type: "long", logicalType: "local-timestamp-millis" } }),
      /field time/,
    ],
    ["text as number", event({ clicks: "string" }), /field clicks of schema test\.E .*number/],
    ["a union without a number", event({ cost: ["null", "string"] }), /field cost/],
    ["a field __proto__", named("__proto__", "int"), /forbidden name __proto__/],
    ["a field constructor", named("constructor", "int"), /forbidden name constructor/],
    ["a field prototype", named("prototype", "int"), /forbidden name prototype/],
    ["a record __proto__", named("x", nestedRecord("__proto__", "a")), /forbidden name __proto__/],
    ["a namespace __proto__", named("x", nestedRecord("__proto__.a", "a")), /forbidden name/],
    ["a nested field __proto__", named("x", nestedRecord("X", "__proto__")), /forbidden name/],
    ["an unknown type", named("x", "Nowhere"), /Nowhere/],
    ["an unknown type in an array", named("x", { type: "array", items: "Nowhere" }), /Nowhere/],
    ["the same field twice", named("key", "string"), /two fields key/],
    ["the same type twice", named("x", nestedRecord("test.E", "a")), /defines type test\.E twice/],
    ["a type of null", named("x", null), /null/],
    ["an array of nothing", named("x", { type: "array" }), /undefined/],
    ["a negative fixed", named("x", { type: "fixed", name: "F", size: -1 }), /size -1/],
    ["an enum without symbols", named("x", { type: "enum", name: "X" }), /symbols/],
    ["a record without fields", named("x", { type: "record", name: "X" }), /no fields/],
    ["no name", { type: "record", fields: [] }, /without a name/],
  ] as [string, unknown, RegExp][])("%s is unreadable", ([, schema, message]) => {
    expect(() => composeReader(JSON.stringify(schema), projection)).toThrow(
      expect.objectContaining({
        name: "StreamError",
        code: "SCHEMA_UNREADABLE",
        message: expect.stringMatching(message),
      }),
    );
  });

  test.for(["key", "time", "clicks"])("a writer without %s is unreadable", (missing) => {
    const schema = Object(event());
    const fields = schema.fields.filter(({ name }: { name: string }) => name !== missing);
    expect(() => composeReader(JSON.stringify({ ...schema, fields }), projection)).toThrow(
      expect.objectContaining({
        code: "SCHEMA_UNREADABLE",
        message: `schema test.E has no field ${missing}, and there is no default for it`,
      }),
    );
  });

  test.for([
    ["{", "schema is not JSON"],
    ["[".repeat(100) + "]".repeat(100), "deeper"],
    [" ".repeat(2 ** 21), "longer"],
  ])("text that no schema should have is unreadable", ([text = "", message = ""]) => {
    expect(() => composeReader(text, projection)).toThrow(
      expect.objectContaining({
        code: "SCHEMA_UNREADABLE",
        message: expect.stringContaining(message),
      }),
    );
  });

  test("a name is looked up in the namespace around it, then as it stands", () => {
    const schema = named("x", {
      type: "record",
      name: "other.Outer",
      fields: [
        { name: "a", type: { type: "fixed", name: "Size", size: 2 } },
        { name: "b", type: "Size" },
        { name: "c", type: "other.Size" },
        { name: "p", type: { type: "fixed", name: "Plain", namespace: "", size: 1 } },
        { name: "q", type: "Plain" },
        { name: "d", type: ["null", "Outer", "test.E"] },
      ],
    });
    const datum = [...key(97), ...rest, 1, 1, 2, 2, 3, 3, 9, 9, 0];
    expect(read(schema, datum)).toEqual({ key: "61", eventTime: 5, values: [1, 1, 1] });
  });
});
