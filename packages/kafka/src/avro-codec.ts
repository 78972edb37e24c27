import { StreamError } from "@adstream/engine/errors";
import avro from "avsc";

import { parseAvroSchema, type AvroType } from "./avro-schema.ts";

/** Avro off the hot path: whole values as objects. */
export type AvroCodec = {
  /** @throws {StreamError} VALUE_UNREADABLE when the value does not fit the schema */
  readonly encode: (value: unknown) => Buffer;
  /**
   * Writes the value behind what `into` holds up to `position`, and returns where it ends; behind the end
   * anything may be left.
   * @throws {StreamError} VALUE_UNREADABLE when the value does not fit the schema, or is longer than the room there is
   */
  readonly encodeInto: (value: unknown, into: Buffer, position: number) => number;
  /** Takes exactly one value. @throws {StreamError} VALUE_UNREADABLE, to dead-letter */
  readonly decode: (bytes: Uint8Array) => unknown;
};

export type AvroCodecOptions = {
  /** Fields of type long that are bigints; other longs are numbers, and only those that a number holds exactly. */
  readonly bigintFields?: readonly string[];
};

/** Longer values are refused before avsc sees them. */
const maxValueBytes = 1024 * 1024;

/**
 * avsc's codec of one record schema, without its traps: its own longs lose the sign of odd ones below -2^52, it reads
 * ints without a range, and a few bytes that announce an array can make it take all memory there is, so that schemas
 * with arrays or maps are refused.
 *
 * avsc generates code from the schema.
 *
 * @throws {StreamError} SCHEMA_UNREADABLE
 */
export function avroCodec(schemaJson: string, options: AvroCodecOptions = {}): AvroCodec {
  const record = parseAvroSchema(schemaJson);
  if (record.kind !== "record") throw unreadable(`schema is a ${record.kind}, not a record`);
  refuseBlocks(record);
  const type = compile(schemaJson, new Set(options.bigintFields));
  const ints = record.fields.filter((field) => field.type.kind === "int").map(({ name }) => name);
  return {
    encode(value) {
      return guarded(`value does not fit schema ${record.name}`, () => {
        return type.toBuffer(value);
      });
    },
    encodeInto(value, into, position) {
      return guarded(`value does not fit schema ${record.name}`, () => {
        const end = type.encode(value, into, position);
        if (end >= 0) return end;
        throw new RangeError(`it is ${-end} bytes longer than the room for it`);
      });
    },
    decode(bytes) {
      return guarded(`${bytes.length} bytes are no value of schema ${record.name}`, () => {
        if (bytes.length > maxValueBytes)
          throw new RangeError(`longer than ${maxValueBytes} bytes`);
        const value: unknown = type.fromBuffer(
          Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        );
        checkInts(value, ints);
        return value;
      });
    },
  };
}

type RecordSchema = avro.Schema & { readonly fields?: { name: string; type: unknown }[] };

function compile(schemaJson: string, bigintFields: ReadonlySet<string>): avro.Type {
  const schema: RecordSchema = JSON.parse(schemaJson);
  // Objects of their own, told from other longs by identity when avsc asks for their types.
  const bigints = new Set<unknown>();
  for (const field of schema.fields ?? []) {
    if (!bigintFields.has(field.name) || !isLong(field.type)) continue;
    field.type = { type: "long" };
    bigints.add(field.type);
  }
  if (bigints.size !== bigintFields.size) {
    throw unreadable(`schema lacks a field of type long among ${[...bigintFields].join(", ")}`);
  }
  const typeHook = (part: unknown): avro.Type | undefined => {
    if (!isLong(part)) return undefined;
    return bigints.has(part) ? bigintLong : numberLong;
  };
  try {
    return avro.Type.forSchema(schema, { typeHook });
  } catch (cause) {
    throw unreadable(messageOf(cause), { cause });
  }
}

function isLong(schema: unknown): boolean {
  if (schema === "long") return true;
  return (
    typeof schema === "object" && schema !== null && "type" in schema && schema.type === "long"
  );
}

/** Of the one long that is being written: avsc takes its bytes before it asks for those of the next. */
const longBytes = Buffer.alloc(8);
const bigintLong = longType((bytes) => bytes.readBigInt64LE());
const numberLong = longType((bytes) => {
  // A bigint in between would take as long as all the rest.
  const number = bytes.readInt32LE(4) * 2 ** 32 + bytes.readUInt32LE(0);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`no number holds ${bytes.readBigInt64LE()} exactly`);
});

/** Takes numbers and bigints alike. @param read what comes back, of eight bytes, the lowest first */
function longType(read: (bytes: Buffer) => bigint | number): avro.Type {
  return avro.types.LongType.__with({
    fromBuffer: read,
    toBuffer(value: bigint | number) {
      if (typeof value === "bigint") longBytes.writeBigInt64LE(value);
      else {
        longBytes.writeUInt32LE(value >>> 0, 0);
        longBytes.writeInt32LE(Math.floor(value / 2 ** 32), 4);
      }
      return longBytes;
    },
    fromJSON(value: number) {
      longBytes.writeBigInt64LE(BigInt(value));
      return read(longBytes);
    },
    toJSON: String,
    isValid: (value: unknown) => typeof value === "bigint" || Number.isSafeInteger(value),
    compare: (left: bigint | number, right: bigint | number) =>
      left < right ? -1 : Number(left > right),
  });
}

function checkInts(value: unknown, ints: readonly string[]): void {
  if (typeof value !== "object" || value === null) return;
  for (const name of ints) {
    const number: unknown = Reflect.get(value, name);
    if (typeof number === "number" && (number | 0) !== number) {
      throw new RangeError(`${name} is ${number}, which is no int`);
    }
  }
}

function refuseBlocks(type: AvroType, around: readonly AvroType[] = []): void {
  if (around.includes(type)) return;
  const inner = [...around, type];
  if (type.kind === "array" || type.kind === "map") {
    throw unreadable(`schema has ${type.kind}s, which are not decoded into objects`);
  }
  if (type.kind === "union") for (const branch of type.branches) refuseBlocks(branch, inner);
  if (type.kind === "record") for (const field of type.fields) refuseBlocks(field.type, inner);
}

function guarded<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const message = `${what}: ${messageOf(cause)}`;
    throw new StreamError("VALUE_UNREADABLE", "dead-letter", message, { cause });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function unreadable(message: string, options?: ErrorOptions): StreamError {
  return new StreamError("SCHEMA_UNREADABLE", "dead-letter", message, options);
}
