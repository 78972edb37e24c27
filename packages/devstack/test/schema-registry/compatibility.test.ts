import { expect, test } from "vitest";
import { parseAvroSchema } from "../../src/schema-registry/avro-schema.ts";
import {
  incompatibilities,
  readProblems,
  type CompatibilityLevel,
} from "../../src/schema-registry/compatibility.ts";

type Json = unknown;

const record = (...fields: Json[]): Json => ({ type: "record", name: "R", namespace: "n", fields });
const a = { name: "a", type: "int" };
const b = { name: "b", type: "string" };
const bDefault = { name: "b", type: "string", default: "" };
const list = (items: Json): Json => ({ type: "array", items });
const map = (values: Json): Json => ({ type: "map", values });
const fixed = (size: number): Json => ({ type: "fixed", name: "F", size });
const symbols = (names: string[], extra: object = {}): Json => ({
  type: "enum",
  name: "E",
  symbols: names,
  ...extra,
});
const node = (...more: Json[]): Json => record({ name: "next", type: ["null", "n.R"] }, ...more);

const parse = (json: Json): ReturnType<typeof parseAvroSchema> =>
  parseAvroSchema(JSON.stringify(json));

/** Schema resolution of Avro 1.12: what a reader's schema makes of a writer's. */
test.for<[string, { reader: Json; writer: Json; problem?: string }]>([
  ["the same", { reader: record(a, b), writer: record(a, b) }],
  ["int as long", { reader: "long", writer: "int" }],
  ["int as float", { reader: "float", writer: "int" }],
  ["long as double", { reader: "double", writer: "long" }],
  ["float as double", { reader: "double", writer: "float" }],
  ["bytes as string", { reader: "string", writer: "bytes" }],
  ["string as bytes", { reader: "bytes", writer: "string" }],
  ["long as int", { reader: "int", writer: "long", problem: "int cannot read writer type long" }],
  ["double as float", { reader: "float", writer: "double", problem: "cannot read" }],
  ["int as string", { reader: "string", writer: "int", problem: "cannot read" }],
  ["boolean as int", { reader: "int", writer: "boolean", problem: "cannot read" }],
  [
    "a logical type as its type",
    { reader: "long", writer: { type: "long", logicalType: "timestamp-millis" } },
  ],
  ["a field more, written", { reader: record(a), writer: record(a, b) }],
  ["a field more, read with default", { reader: record(a, bDefault), writer: record(a) }],
  [
    "a field more, read without default",
    {
      reader: record(a, b),
      writer: record(a),
      problem: "/b: the reader's field 'b' has no default",
    },
  ],
  ["fields in another order", { reader: record(b, a), writer: record(a, b) }],
  ["a promoted field", { reader: record({ name: "a", type: "double" }), writer: record(a) }],
  [
    "a field of another type",
    {
      reader: record({ name: "a", type: "string" }),
      writer: record(a),
      problem: "/a/: reader type string",
    },
  ],
  [
    "a renamed field with alias",
    { reader: record({ name: "z", aliases: ["a"], type: "int" }), writer: record(a) },
  ],
  [
    "a record of another name",
    {
      reader: { type: "record", name: "Q", fields: [a] },
      writer: record(a),
      problem: "expects Q, writer has n.R",
    },
  ],
  [
    "a record of another name with alias",
    { reader: { type: "record", name: "Q", aliases: ["n.R"], fields: [a] }, writer: record(a) },
  ],
  ["a type as a union that has it", { reader: ["null", "int"], writer: "int" }],
  ["a type as a union with a promotion", { reader: ["null", "long"], writer: "int" }],
  [
    "a type as a union without it",
    { reader: ["null", "int"], writer: "string", problem: "no branch for string" },
  ],
  [
    "a union as its only type that can be",
    { reader: "int", writer: ["null", "int"], problem: "int cannot read writer type null" },
  ],
  ["a union as a wider type of all branches", { reader: "double", writer: ["int", "float"] }],
  ["a union as a union with more", { reader: ["null", "int", "string"], writer: ["int", "null"] }],
  [
    "a union as a union with less",
    { reader: ["null", "int"], writer: ["null", "int", "string"], problem: "no branch for string" },
  ],
  ["items promoted", { reader: list("long"), writer: list("int") }],
  ["items narrowed", { reader: list("int"), writer: list("long"), problem: "/items/" }],
  ["values promoted", { reader: map("long"), writer: map("int") }],
  [
    "an array as a map",
    { reader: map("int"), writer: list("int"), problem: "map cannot read writer type array" },
  ],
  ["a symbol more, read", { reader: symbols(["A", "B"]), writer: symbols(["A"]) }],
  [
    "a symbol more, written",
    { reader: symbols(["A"]), writer: symbols(["A", "B"]), problem: "lacks symbols B" },
  ],
  [
    "a symbol more, written, read with default",
    { reader: symbols(["A"], { default: "A" }), writer: symbols(["A", "B"]) },
  ],
  ["fixed of the same size", { reader: fixed(4), writer: fixed(4) }],
  [
    "fixed of another size",
    { reader: fixed(4), writer: fixed(5), problem: "4 bytes in the reader, 5 in the writer" },
  ],
  ["a schema that holds itself", { reader: node(), writer: node() }],
  ["a schema that holds itself, changed", { reader: node(b), writer: node(), problem: "/b" }],
])("%s", ([, { reader, writer, problem }]) => {
  const problems = readProblems(parse(reader), parse(writer));
  if (problem === undefined) expect(problems).toEqual([]);
  else expect(problems.join()).toContain(problem);
});

const v1 = record(a);
const v2 = record(a, bDefault);
const required = record(a, b);

test.for<[CompatibilityLevel, Json[], Json, boolean]>([
  ["NONE", [v1], "string", true],
  ["BACKWARD", [], required, true],
  ["BACKWARD", [v1], v2, true],
  ["BACKWARD", [v1], required, false],
  ["BACKWARD", [required], v1, true],
  ["BACKWARD", [v1, required], required, true],
  ["BACKWARD_TRANSITIVE", [v1, required], required, false],
  ["FORWARD", [v1], required, true],
  ["FORWARD", [required], v1, false],
  ["FORWARD", [required, v1], v1, true],
  ["FORWARD_TRANSITIVE", [required, v1], v1, false],
  ["FULL", [v1], v2, true],
  ["FULL", [v1], required, false],
  ["FULL", [required], v1, false],
  ["FULL_TRANSITIVE", [v1, v2], required, false],
  ["FULL", [v1, v2], required, true],
])("%s after %j: %j is %s", ([level, earlier, next, compatible]) => {
  const problems = incompatibilities(parse(next), earlier.map(parse), level);
  expect(problems.length === 0).toBe(compatible);
});

test.for<[string, Json]>([
  ["an unknown type", "strin"],
  ["a record without fields", { type: "record", name: "R" }],
  ["a record without name", { type: "record", fields: [] }],
  ["an illegal name", { type: "record", name: "a-b", fields: [] }],
  ["an illegal field name", record({ name: "1a", type: "int" })],
  ["a field twice", record(a, a)],
  ["a name twice", record({ name: "x", type: fixed(1) }, { name: "y", type: fixed(2) })],
  ["a union in a union", ["null", ["int"]]],
  ["a branch twice", ["int", "int"]],
  ["a symbol twice", symbols(["A", "A"])],
  ["an enum default that is no symbol", symbols(["A"], { default: "B" })],
  ["a size that is none", { type: "fixed", name: "F", size: -1 }],
  ["a default of another type", record({ name: "a", type: "int", default: "1" })],
  ["a default that leaves the int", record({ name: "a", type: "int", default: 2 ** 31 })],
  ["no schema at all", 5],
])("%s is no schema", ([, json]) => {
  expect(() => parse(json)).toThrow();
});
