import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
/** Of kafkajs, so that ours is not checked against itself. */
const crc32c: (
  bytes: Buffer,
) => number = require("kafkajs/src/protocol/recordBatch/crc32C/index.js");

export type TestRecord = {
  readonly offset: number;
  readonly timestamp?: number;
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
  readonly headers?: readonly (readonly [string, Uint8Array | null])[];
};

export type TestBatch = {
  readonly records: readonly TestRecord[];
  readonly baseOffset?: number;
  readonly lastOffsetDelta?: number;
  readonly baseTimestamp?: number;
  readonly maxTimestamp?: number;
  readonly producerId?: number;
  /** Codec, timestamp type, transactional, control. */
  readonly attributes?: number;
  readonly recordCount?: number;
  readonly compress?: (body: Buffer) => Uint8Array;
  /** Stands in for the encoded records. */
  readonly body?: Uint8Array;
};

/** A record batch as a broker would hand it over; every figure can be set, also to nonsense. */
export function encodeBatch(batch: TestBatch): Buffer {
  const { records } = batch;
  const baseOffset = batch.baseOffset ?? records[0]?.offset ?? 0;
  const baseTimestamp = batch.baseTimestamp ?? records[0]?.timestamp ?? 0;
  const encoded = Buffer.concat(
    records.map((record) => encodeRecord(record, baseOffset, baseTimestamp)),
  );
  const plain = batch.body ?? encoded;
  const body = batch.compress?.(Buffer.from(plain)) ?? plain;
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(BigInt(baseOffset), 0);
  head.writeInt32BE(head.length - 12 + body.length, 8);
  head.writeInt8(2, 16);
  head.writeInt16BE(batch.attributes ?? 0, 21);
  head.writeInt32BE(
    batch.lastOffsetDelta ?? (records.at(-1)?.offset ?? baseOffset) - baseOffset,
    23,
  );
  head.writeBigInt64BE(BigInt(baseTimestamp), 27);
  const times = records.map((record) => record.timestamp ?? baseTimestamp);
  head.writeBigInt64BE(BigInt(batch.maxTimestamp ?? Math.max(baseTimestamp, ...times)), 35);
  head.writeBigInt64BE(BigInt(batch.producerId ?? -1), 43);
  head.writeInt16BE(-1, 51);
  head.writeInt32BE(-1, 53);
  head.writeInt32BE(batch.recordCount ?? records.length, 57);
  return withChecksum(Buffer.concat([head, body]));
}

/** Makes the checksum right again after a change. */
export function withChecksum(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)) >>> 0, 17);
  return batch;
}

export function varint(value: number | bigint): number[] {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function encodeRecord(record: TestRecord, baseOffset: number, baseTimestamp: number): Buffer {
  const headers = record.headers ?? [];
  const body = Buffer.concat([
    Buffer.from([
      0,
      ...varint((record.timestamp ?? baseTimestamp) - baseTimestamp),
      ...varint(record.offset - baseOffset),
    ]),
    prefixed(record.key ?? null),
    prefixed(record.value ?? null),
    Buffer.from(varint(headers.length)),
    ...headers.flatMap(([name, value]) => [prefixed(Buffer.from(name)), prefixed(value)]),
  ]);
  return prefixed(body);
}

function prefixed(bytes: Uint8Array | null): Buffer {
  return bytes === null
    ? Buffer.from(varint(-1))
    : Buffer.concat([Buffer.from(varint(bytes.length)), bytes]);
}
