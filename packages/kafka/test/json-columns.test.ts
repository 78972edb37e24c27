import { createColumns, rejectReasons } from "@adstream/engine/columns";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createCursor, extendedBytes } from "../src/byte-cursor.ts";
import { type EventProjection, valueColumns } from "../src/event-projection.ts";
import { composeJsonReader } from "../src/json-columns.ts";

const projection: EventProjection = {
  key: "key",
  eventTime: "time",
  id: "id",
  numbers: [{ field: "cost", min: -1e9, max: 1e9 }],
  categories: [{ field: "kind", allowed: ["view", "click", "buy"], counted: ["buy", "view"] }],
  maxima: [
    { field: "sent", min: 0, max: 8.64e15 },
    { field: "cost", min: -1e9, max: 1e9 },
  ],
  whole: ["sent"],
};
const sound = { key: "k", time: 5, id: "i", cost: 1.5, kind: "view", sent: 9 };

type Row = { key: string; id: string; eventTime: number; values: number[] } | string;

/** Reads a value in the middle of other bytes, and at their end, which must not matter. */
function read(value: string | Uint8Array, by = projection): Row {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  const readBefore = (following: string): Row => {
    const all = Buffer.concat([Buffer.from('{"'), bytes, Buffer.from(following)]);
    const cursor = createCursor(all, 2);
    cursor.end = 2 + bytes.length;
    const columns = createColumns(valueColumns(by), 2);
    const rejected = composeJsonReader(by)(cursor, columns, 1);
    if (rejected !== 0) return rejectReasons[rejected] ?? `reason ${rejected}`;
    const text = (start = 0, length = 0): string =>
      Buffer.from(extendedBytes(cursor).subarray(start, start + length)).toString();
    return {
      key: text(columns.keyStart[1], columns.keyLength[1]),
      id: text(columns.idStart[1], columns.idLength[1]),
      eventTime: columns.eventTime[1] ?? Number.NaN,
      values: columns.values.map((column) => column[1] ?? Number.NaN),
    };
  };
  const row = readBefore('"}0123]}');
  expect(readBefore("")).toEqual(row);
  return row;
}

/** What `JSON.parse` and the rules of the projection make of a text; none of the code under test. */
function oracle(text: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "malformed JSON";
  }
  const wrong = "JSON value of another type";
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong;
  const field = (name: string): unknown => Object.getOwnPropertyDescriptor(value, name)?.value;
  const [key, time, id, cost, kind, sent] = ["key", "time", "id", "cost", "kind", "sent"].map(
    field,
  );
  const textProblem = (found: unknown, size: string, utf8: string): string | undefined => {
    if (typeof found !== "string") return found === null || found === undefined ? size : wrong;
    if (!found.isWellFormed()) return utf8;
    return found === "" || Buffer.byteLength(found) > 256 ? size : undefined;
  };
  const numberProblem = (found: unknown, min: number, max: number): string | undefined => {
    if (typeof found !== "number") {
      return found === null || found === undefined ? "number not finite" : wrong;
    }
    if (!Number.isFinite(found)) return "number not finite";
    return found < min || found > max ? "number out of range" : undefined;
  };
  const timeProblem =
    typeof time === "number"
      ? Math.abs(Math.floor(time)) <= 8.64e15
        ? undefined
        : "timestamp out of range"
      : time === null || time === undefined
        ? "timestamp out of range"
        : wrong;
  const undeclared = "value not among those declared";
  const kindProblem =
    typeof kind === "string"
      ? ["view", "click", "buy"].includes(kind)
        ? undefined
        : undeclared
      : kind === null || kind === undefined
        ? undeclared
        : wrong;
  const named = id === null || id === undefined;
  const problem =
    textProblem(key, "key empty or longer than 256 bytes", "key not UTF-8") ??
    timeProblem ??
    (named
      ? undefined
      : textProblem(id, "event id empty or longer than 256 bytes", "event id not UTF-8")) ??
    numberProblem(cost, -1e9, 1e9) ??
    kindProblem ??
    numberProblem(sent, 0, 8.64e15) ??
    (Number.isInteger(sent) ? undefined : "number not whole");
  if (problem !== undefined) return problem;
  const flags = [kind === "buy" ? 1 : 0, kind === "view" ? 1 : 0];
  return {
    key: String(key),
    id: typeof id === "string" ? id : "",
    eventTime: Math.floor(Number(time)) + 0,
    values: [Number(cost), ...flags, Number(sent), Number(cost)],
  };
}

describe("against JSON.parse", () => {
  const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/);
  const escaped = (character: string): string =>
    Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join("");
  /** A string with any of its characters escaped, needed or not. */
  const quoted = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.tuple(text, fc.infiniteStream(fc.nat(9))).map(([plain, dice]) => {
      const units = Array.from(plain, (character) =>
        dice.next().value === 0 ? escaped(character) : JSON.stringify(character).slice(1, -1),
      );
      return `"${units.join("")}"`;
    });
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.double({ min: -1e6, max: 1e6, noNaN: true }).map(String),
    fc.integer().map(String),
    fc.maxSafeInteger().map(String),
    fc.stringMatching(/^-?(0|[1-9][0-9]{0,21})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?$/),
  );
  const name = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("key", "time", "id", "cost", "kind", "sent") },
    fc.constantFrom("ke", "keys", "", "__proto__", "ключ"),
    fc.string({ unit: "binary", maxLength: 5 }),
  );
  const text = fc.oneof(
    fc.constantFrom(
      "view",
      "click",
      "buy",
      "k",
      "\ud800",
      "\udc00x",
      "x".repeat(256),
      "é".repeat(129),
    ),
    fc.string({ unit: "binary", maxLength: 12 }),
  );
  const scalar = fc.oneof(
    quoted(text),
    number,
    fc.constantFrom("true", "false", "null", '"view"', "5", "1", "[]", "{}"),
  );
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { weight: 6, arbitrary: scalar },
      fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join(" , ")}]`),
      fc
        .array(fc.tuple(quoted(name), tie("value")), { maxLength: 3 })
        .map((members) => `{${members.map(([of, is]) => `${of} : ${is}`).join(",")}}`),
    ),
  }));
  const fitting = fc.oneof(
    quoted(text).map((found): [string, string] => ['"key"', found]),
    number.map((found): [string, string] => ['"cost"', found]),
    number.map((found): [string, string] => ['"sent"', found]),
    fc.maxSafeInteger().map((found): [string, string] => ['"time"', String(found)]),
  );
  const members = fc.array(fc.oneof(fitting, fc.tuple(quoted(name), value)), { maxLength: 6 });
  const soundFirst = Object.entries(sound).map(([of, is]) => [
    JSON.stringify(of),
    JSON.stringify(is),
  ]);
  const object = fc.tuple(members, fc.boolean(), space, space).map(([own, whole, a, b]) => {
    const all = [...(whole ? soundFirst : []), ...own];
    return `${a}{${b}${all.map(([of, is]) => `${a}${of}${b}:${a}${is}${b}`).join(",")}${a}}${b}`;
  });

  test("whatever the object holds, however it is written", () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: object }, value), (json) => {
        const row = read(json);
        if (typeof row !== "string") accepted++;
        expect(row).toEqual(oracle(json));
      }),
      { numRuns: 4_000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  test("whatever happens to its bytes", () => {
    const damage = fc.tuple(
      fc.nat(),
      fc.nat(2),
      fc.constantFrom(...Array.from('{}[]",:\\u0123eE+-. \n\tnx')),
    );
    fc.assert(
      fc.property(object, fc.array(damage, { minLength: 1, maxLength: 3 }), (json, edits) => {
        let broken = json;
        for (const [place, removed, inserted] of edits) {
          const at = place % (broken.length + 1);
          broken = broken.slice(0, at) + inserted + broken.slice(at + removed);
        }
        // Halves of pairs that were cut apart become U+FFFD on the way to bytes.
        const text = Buffer.from(broken).toString();
        expect(read(text)).toEqual(oracle(text));
      }),
      { numRuns: 4_000 },
    );
  });
});

test("numbers are those of JSON.parse to the last bit, of however many digits", () => {
  const digits = fc.stringMatching(/^-?[1-9][0-9]{0,8}\.[0-9]{1,14}$/);
  fc.assert(
    fc.property(digits, (cost) => {
      const row = read(JSON.stringify(sound).replace("1.5", cost));
      expect(row).toMatchObject({ values: [JSON.parse(cost), 0, 1, 9, JSON.parse(cost)] });
    }),
    { numRuns: 3_000 },
  );
});

test.each(
  '[1} {"a":1] [1,] [,1] [1 2] [[]} {,} {"a"} {"a":} {"a":1,} {"a" 1} {1:1} {"a":[}'.split(" "),
)("%s in a field that nobody wants is malformed, as it is in one that somebody does", (broken) => {
  for (const name of ["other", "cost"]) {
    expect(read(`{"${name}":${broken},${JSON.stringify(sound).slice(1)}`)).toBe("malformed JSON");
  }
});

test.each("tru nulL falsee +1 01 -01 1. .5 1e 1e+ - -a 0x1 NaN ' \"a".split(" "))(
  "%s is no value",
  (broken) => {
    for (const name of ["other", "cost", "time", "key", "kind"]) {
      const json = JSON.stringify(sound).replace("}", `,"${name}":${broken}}`);
      expect([oracle(json), read(json)]).toEqual(["malformed JSON", "malformed JSON"]);
    }
  },
);

test("any bytes are read or rejected, and never read past their end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), (noise, at) => {
      const json = Buffer.from(JSON.stringify(sound));
      const cut = at % (json.length + 1);
      read(Buffer.concat([json.subarray(0, cut), noise, json.subarray(cut)]));
      read(noise);
      expect(read(json.subarray(0, Math.min(cut, json.length - 1)))).toBe("malformed JSON");
    }),
    { numRuns: 3_000 },
  );
});

describe("an event", () => {
  const row = { key: "k", id: "i", eventTime: 5, values: [1.5, 0, 1, 9, 1.5] };
  const withField = (name: string, json: string): Row =>
    read(JSON.stringify({ ...sound, [name]: 0 }).replace(`"${name}":0`, `"${name}":${json}`));

  test("has the columns that its fields have in the projection", () => {
    expect(read(JSON.stringify(sound))).toEqual(row);
    expect(read(JSON.stringify({ ...sound, kind: "buy", id: null }))).toEqual({
      ...row,
      id: "",
      values: [1.5, 1, 0, 9, 1.5],
    });
  });

  test.for([
    ['"k\\u0065y"', { ...row, key: "key" }],
    ['"\\ud83d\\ude00\\n"', { ...row, key: "😀\n" }],
    [JSON.stringify("\\".repeat(256)), { ...row, key: "\\".repeat(256) }],
    [JSON.stringify("\\".repeat(257)), "key empty or longer than 256 bytes"],
    ['"\\ud83d"', "key not UTF-8"],
    ['""', "key empty or longer than 256 bytes"],
    ["7", "JSON value of another type"],
    ["null", "key empty or longer than 256 bytes"],
    ['"a\nb"', "malformed JSON"],
    ['"\\x"', "malformed JSON"],
    ['"\\u12g4"', "malformed JSON"],
  ] as [string, Row][])("with the key %s", ([json, expected]) => {
    expect(withField("key", json)).toEqual(expected);
  });

  test("with a key that is no UTF-8 is rejected, and with such a text elsewhere is not", () => {
    const bytes = (name: string): Buffer => {
      const json = Buffer.from(JSON.stringify({ ...sound, [name]: "~~" }));
      return Buffer.from(json.map((byte) => (byte === 0x7e ? 0xff : byte)));
    };
    expect(read(bytes("key"))).toBe("key not UTF-8");
    expect(read(bytes("other"))).toEqual(row);
  });

  test("is that of the last field of a name, as it is written or escaped", () => {
    const json = JSON.stringify(sound);
    expect(read(json.replace("{", '{"key":[1,{"key":2}],"cost":"x",'))).toEqual(row);
    expect(read(json.replace("}", ',"\\u006bey":"last"}'))).toEqual({ ...row, key: "last" });
    expect(read(json.replace("}", ',"id":null}'))).toEqual({ ...row, id: "" });
    expect(read(json.replace("}", ',"cost":true}'))).toBe("JSON value of another type");
  });

  test("nests as deep as 1,000 containers", () => {
    const deep = (depth: number): string =>
      `{"x":${"[".repeat(depth)}${"]".repeat(depth)},${JSON.stringify(sound).slice(1)}`;
    expect(read(deep(1_000))).toEqual(row);
    expect(read(deep(1_001))).toBe("malformed JSON");
  });

  test.for([
    ["1780000000123456789", 1_780_000_000_123],
    ["-1", -1],
    ["-1000000", -1],
    ["-1000001", -2],
    ["999999", 0],
    ["-0", 0],
    ["1.5e6", 1],
    ["8640000000000000999999", 8.64e15],
    ["8640000000000001000000", "timestamp out of range"],
    ["1e400", "timestamp out of range"],
    ["true", "JSON value of another type"],
  ] as [string, number | string][])("at %s ns is at %s ms, exactly", ([json, expected]) => {
    const found = read(JSON.stringify({ ...sound, time: 7 }).replace("7", json), {
      ...projection,
      eventTimeUnit: "ns",
    });
    expect(typeof found === "string" ? found : found.eventTime).toBe(expected);
  });

  test("may lack a number that has a default", () => {
    const numbers = [{ field: "absent", min: 0, max: 9, default: 4 }];
    const { maxima: _, ...rest } = projection;
    expect(read(JSON.stringify(sound), { ...rest, numbers })).toMatchObject({ values: [4, 0, 1] });
  });
});
