import avro, { type Type } from "avsc";
import { type Fields, numberOf, type TimeUnit, wholeMs } from "./fields.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const logicalUnits = new Map<unknown, TimeUnit>([
  ["timestamp-millis", "ms"],
  ["timestamp-micros", "us"],
  ["timestamp-nanos", "ns"],
]);

/** Reads values of one writer's schema. @throws where avsc cannot read the schema; the reader where a value is none of it */
export function avroReader(schema: string): (payload: Buffer) => Fields {
  const type = avro.Type.forSchema(JSON.parse(schema, stringsAsBytes), {
    typeHook: longsAsBigints,
  });
  const units = timeUnits(JSON.parse(schema));
  return (payload) => {
    const fields = new Map<string, unknown>(Object.entries(Object(type.fromBuffer(payload))));
    return {
      text(name) {
        const found = fields.get(name) ?? undefined;
        if (found instanceof Uint8Array) return utf8.decode(found);
        // Of an enum.
        if (found === undefined || typeof found === "string") return found;
        throw new TypeError(`${name} is no text`);
      },
      number: (name) => numberOf(fields.get(name)),
      time: (name, unit) => wholeMs(fields.get(name), units.get(name) ?? unit),
    };
  };
}

/** Both have one encoding, and avsc would replace broken UTF-8 where we want to see it. */
function stringsAsBytes(key: string, value: unknown): unknown {
  return value === "string" && /^(type|items|values|\d*)$/.test(key) ? "bytes" : value;
}

/** Nanoseconds are beyond what numbers hold exactly. */
function longsAsBigints(schema: unknown): Type | undefined {
  const long = schema === "long" || Reflect.get(Object(schema), "type") === "long";
  return long ? bigintLong : undefined;
}

const bigintLong: Type = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer(value: bigint) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => Number(a > b) - Number(a < b),
});

/** Of the fields whose type says one. */
function timeUnits(schema: unknown): Map<string, TimeUnit> {
  const fields: unknown = Reflect.get(Object(schema), "fields");
  const units = new Map<string, TimeUnit>();
  for (const { name, type } of Array.isArray(fields) ? fields : []) {
    for (const branch of Array.isArray(type) ? type : [type]) {
      const unit = logicalUnits.get(Reflect.get(Object(branch), "logicalType"));
      if (unit !== undefined) units.set(String(name), unit);
    }
  }
  return units;
}
