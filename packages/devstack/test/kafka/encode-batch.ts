import { gzipSync } from "node:zlib";
import { crc32c } from "../../src/kafka/crc32c.ts";

export type BatchOptions = {
  readonly values?: readonly string[];
  readonly baseOffset?: number;
  /** Of each record, in order; the first is the base. */
  readonly timestampsMs?: readonly number[];
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly attributes?: number;
  readonly gzip?: boolean;
};

/** One record batch (magic 2) as a producer sends it, written out by hand from the protocol's layout. */
export function encodeBatch(options: BatchOptions = {}): Buffer {
  const { values = ["value"], baseOffset = 0 } = options;
  const timestampsMs = options.timestampsMs ?? values.map(() => 1_700_000_000_000);
  const baseTimestampMs = timestampsMs[0] ?? 0;
  const plain = Buffer.concat(
    values.map((value, index) =>
      record(index, (timestampsMs[index] ?? 0) - baseTimestampMs, value),
    ),
  );
  const records = options.gzip === true ? gzipSync(plain) : plain;
  const header = Buffer.alloc(61);
  header.writeBigInt64BE(BigInt(baseOffset), 0);
  header.writeInt32BE(49 + records.length, 8);
  header.writeInt32BE(-1, 12);
  header.writeInt8(2, 16);
  header.writeInt16BE((options.attributes ?? 0) | (options.gzip === true ? 1 : 0), 21);
  header.writeInt32BE(values.length - 1, 23);
  header.writeBigInt64BE(BigInt(baseTimestampMs), 27);
  header.writeBigInt64BE(BigInt(Math.max(...timestampsMs)), 35);
  header.writeBigInt64BE(BigInt(options.producerId ?? -1), 43);
  header.writeInt16BE(options.producerEpoch ?? -1, 51);
  header.writeInt32BE(options.baseSequence ?? -1, 53);
  header.writeInt32BE(values.length, 57);
  const batch = Buffer.concat([header, records]);
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

function record(offsetDelta: number, timestampDelta: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(timestampDelta),
    varint(offsetDelta),
    varint(-1),
    varint(bytes.length),
    bytes,
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  let raw = value >= 0 ? value * 2 : -value * 2 - 1;
  const bytes: number[] = [];
  for (; raw >= 128; raw = Math.floor(raw / 128)) bytes.push((raw % 128) | 128);
  return Buffer.from([...bytes, raw]);
}
