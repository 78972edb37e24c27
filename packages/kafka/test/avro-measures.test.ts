import { createColumns, rejectReasons } from "@adstream/engine/columns";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { composeReader } from "../src/avro-columns.ts";
import { createCursor } from "../src/byte-cursor.ts";
import { type EventProjection, type TimeUnit, valueColumns } from "../src/event-projection.ts";
import { prefixed } from "./avro-shapes.ts";
import { varint } from "./encode-batch.ts";
import { readValue } from "./read-value.ts";

const range = { min: -1_000, max: 1_000 };
const projection: EventProjection = {
  key: "key",
  eventTime: "time",
  numbers: [{ field: "cost", ...range }],
  categories: [{ field: "kind", allowed: ["view", "click", "buy"], counted: ["buy", "view"] }],
  maxima: [
    { field: "sent", ...range },
    { field: "cost", ...range },
  ],
};

type Types = { readonly time?: unknown; readonly kind?: unknown };

function schema({ time = "long", kind = "string" }: Types = {}): string {
  const types = { key: "string", time, kind, sent: "int", cost: "int" };
  const fields = Object.entries(types).map(([name, type]) => ({ name, type }));
  return JSON.stringify({ type: "record", name: "E", fields });
}

/** The event time and the values of a record, or why it is rejected. */
function read(
  types: Types,
  time: bigint | readonly number[],
  kind: readonly number[],
  by = projection,
): unknown {
  const timeBytes = typeof time === "bigint" ? varint(time) : time;
  const datum = [
    ...prefixed(Buffer.from("k")),
    ...timeBytes,
    ...kind,
    ...varint(-7n),
    ...varint(9n),
  ];
  const columns = createColumns(valueColumns(by), 1);
  const reader = composeReader(schema(types), by);
  const rejected = readValue(reader, createCursor(Uint8Array.from(datum)), columns, 0);
  if (rejected !== 0) return rejectReasons[rejected];
  return [columns.eventTime[0], ...columns.values.map((column) => column[0])];
}

describe("a field that holds one of a few texts", () => {
  const symbols = { type: "enum", name: "K", symbols: ["click", "like", "view"] };
  const nullable = ["null", "string"];
  test.for([
    ["string", [...prefixed(Buffer.from("buy"))], [0, 9, 1, 0, -7, 9]],
    ["string", [...prefixed(Buffer.from("view"))], [0, 9, 0, 1, -7, 9]],
    ["bytes", [...prefixed(Buffer.from("click"))], [0, 9, 0, 0, -7, 9]],
    [nullable, [2, ...prefixed(Buffer.from("buy"))], [0, 9, 1, 0, -7, 9]],
    [symbols, [0], [0, 9, 0, 0, -7, 9]],
    [symbols, [4], [0, 9, 0, 1, -7, 9]],
  ] as [unknown, number[], number[]][])(
    "as %j with %j counts in the columns of those counted, between sums and maxima",
    ([kind, bytes, expected]) => {
      expect(read({ kind }, 0n, bytes)).toEqual(expected);
    },
  );

  test.for([
    ["string", [...prefixed(Buffer.from("buys"))]],
    ["string", [...prefixed(Buffer.from("bux"))]],
    ["string", [...prefixed(Buffer.from(""))]],
    ["bytes", [...prefixed(Buffer.from("View"))]],
    [nullable, [0]],
    [symbols, [2]],
    [symbols, [6]],
    [symbols, [1]],
  ] as [unknown, number[]][])("as %j with %j rejects the record", ([kind, bytes]) => {
    expect(read({ kind }, 0n, bytes)).toBe("value not among those declared");
  });

  test("of another type makes the schema unreadable", () => {
    const text = /field kind of schema E is not a string, bytes or an enum/;
    expect(() => composeReader(schema({ kind: "int" }), projection)).toThrow(text);
  });
});

test("a number that must be whole and has a fraction rejects the record", () => {
  const fields = [
    { name: "key", type: "string" },
    { name: "time", type: "long" },
    { name: "cost", type: "double" },
  ];
  const text = JSON.stringify({ type: "record", name: "E", fields });
  const numbers = [{ field: "cost", ...range }];
  const whole = composeReader(text, { key: "key", eventTime: "time", numbers, whole: ["cost"] });
  const rejected = [1.5, 2, -1e-9].map((cost) => {
    const datum = Buffer.from([...prefixed(Buffer.from("k")), 0, ...new Uint8Array(8)]);
    datum.writeDoubleLE(cost, 3);
    return rejectReasons[readValue(whole, createCursor(datum), createColumns(1, 1), 0)];
  });
  expect(rejected).toEqual(["number not whole", "accepted", "number not whole"]);
});

test("a number that is summed and its highest kept has one range, and any other field one use", () => {
  const other = { ...projection, maxima: [{ field: "cost", min: 0, max: 1 }] };
  expect(() => composeReader(schema(), other)).toThrow(/has one range/);
  const twice = { ...projection, maxima: [{ field: "time", ...range }] };
  expect(() => composeReader(schema(), twice)).toThrow(/one use/);
});

describe("an event time", () => {
  const unitOf = (type: unknown, unit: TimeUnit, time: bigint | number[]): unknown => {
    const row = read({ time: type }, time, prefixed(Buffer.from("buy")), {
      ...projection,
      eventTimeUnit: unit,
    });
    return Array.isArray(row) ? row[0] : row;
  };

  test("in ns is cut to whole ms, exactly for every long", () => {
    const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const near = fc
      .tuple(fc.bigInt({ min: -9_223_372_036_854n, max: 9_223_372_036_853n }), fc.integer())
      .map(([ms, off]) => ms * 1_000_000n + BigInt(off % 3));
    fc.assert(
      fc.property(fc.oneof(long, near), (time) => {
        const floor = (time - (((time % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n;
        // Adding 0 turns -0 into 0.
        expect(Number(unitOf("long", "ns", time)) + 0).toBe(Number(floor));
      }),
      { numRuns: 5_000 },
    );
  });

  test("in more ns than a long holds is out of range", () => {
    for (const lowest of [0xfe, 0xff]) {
      const overlong = [lowest, ...Array.from({ length: 8 }, () => 0xff), 0x7f];
      expect(unitOf("long", "ns", overlong)).toBe("timestamp out of range");
    }
  });

  test.for([
    ["long", "us", 1_999n, 1],
    ["long", "ms", 1_999n, 1_999],
    [{ type: "long", logicalType: "timestamp-millis" }, "ns", 1_999n, 1_999],
    [{ type: "long", logicalType: "timestamp-micros" }, "ns", 1_999n, 1],
    [{ type: "long", logicalType: "timestamp-nanos" }, "ms", 1_999_999n, 1],
  ] as [unknown, TimeUnit, bigint, number][])(
    "of %j in a job of %s: %d is %d ms",
    ([type, unit, time, expectedMs]) => {
      expect(unitOf(type, unit, time)).toBe(expectedMs);
    },
  );

  test("in an int is one of ms", () => {
    const us = { ...projection, eventTimeUnit: "us" as const };
    expect(() => composeReader(schema({ time: "int" }), us)).toThrow(/field time/);
  });
});
