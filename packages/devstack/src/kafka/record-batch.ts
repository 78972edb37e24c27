import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { crc32c } from "./crc32c.ts";
import { ErrorCode } from "./error-codes.ts";

/*
 * Record batch, magic 2:
 *   0 int64 baseOffset            21 int16 attributes       51 int16 producerEpoch
 *   8 int32 batchLength           23 int32 lastOffsetDelta  53 int32 baseSequence
 *  12 int32 partitionLeaderEpoch  27 int64 baseTimestamp    57 int32 record count
 *  16 int8  magic                 35 int64 maxTimestamp     61 records
 *  17 uint32 crc (from 21 on)     43 int64 producerId
 * attributes: bits 0-2 compression, 3 LogAppendTime, 4 transactional, 5 control.
 */
export const HEADER_BYTES = 61;
const CRC_START = 21;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** What the broker needs to know about a batch. */
export type BatchHeader = {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  readonly attributes: number;
  readonly compression: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  /** -1: the producer is not idempotent. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
};

/** The header of the batch at `at`; undefined when fewer bytes are there than the batch says it has. */
export function readHeader(bytes: Buffer, at = 0): BatchHeader | undefined {
  if (bytes.length - at < HEADER_BYTES || bytes.readInt8(at + 16) !== 2) return undefined;
  const sizeBytes = bytes.readInt32BE(at + 8) + 12;
  if (sizeBytes < HEADER_BYTES || sizeBytes > bytes.length - at) return undefined;
  const attributes = bytes.readInt16BE(at + 21);
  return {
    baseOffset: Number(bytes.readBigInt64BE(at)),
    sizeBytes,
    attributes,
    compression: attributes & 7,
    lastOffsetDelta: bytes.readInt32BE(at + 23),
    baseTimestamp: Number(bytes.readBigInt64BE(at + 27)),
    maxTimestamp: Number(bytes.readBigInt64BE(at + 35)),
    producerId: Number(bytes.readBigInt64BE(at + 43)),
    producerEpoch: bytes.readInt16BE(at + 51),
    baseSequence: bytes.readInt32BE(at + 53),
  };
}

/** True when the checksum of the batch that fills `bytes` is right. */
export function intact(bytes: Buffer): boolean {
  return bytes.readUInt32BE(17) === crc32c(bytes, CRC_START);
}

/** What a client may append: exactly one batch, whole, right checksum, no control or transactional batch. */
export function checkProduced(
  records: Buffer,
  maxBytes: number,
): { header: BatchHeader } | { error: number } {
  const header = readHeader(records);
  if (header === undefined) return { error: truncatedOrOld(records) };
  if (header.sizeBytes !== records.length) return { error: ErrorCode.invalidRecord };
  if (records.length > maxBytes) return { error: ErrorCode.messageTooLarge };
  if (!intact(records)) return { error: ErrorCode.corruptMessage };
  if (header.attributes & TRANSACTIONAL) return { error: ErrorCode.invalidTxnState };
  const count = records.readInt32BE(57);
  if (header.attributes & CONTROL || count < 1 || header.lastOffsetDelta !== count - 1) {
    return { error: ErrorCode.invalidRecord };
  }
  return { header };
}

/** Message sets of magic 0 and 1 ended with Kafka 4; anything else that is no batch was damaged on the way. */
function truncatedOrOld(records: Buffer): number {
  const old = records.length > 16 && [0, 1].includes(records.readInt8(16));
  return old ? ErrorCode.invalidRecord : ErrorCode.corruptMessage;
}

/** Gives the batch its place in the log; both fields lie before the checksummed part. */
export function placeBatch(batch: Buffer, baseOffset: number, leaderEpoch: number): void {
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(leaderEpoch, 12);
}

/** Marks the batch as stamped by the broker: every record has the batch's maxTimestamp. */
export function stampAppendTime(batch: Buffer, nowMs: number): void {
  batch.writeInt16BE(batch.readInt16BE(21) | LOG_APPEND_TIME, 21);
  batch.writeBigInt64BE(BigInt(nowMs), 35);
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
}

/** True when the batch's records all have its maxTimestamp. */
export function appendTimed(header: BatchHeader): boolean {
  return (header.attributes & LOG_APPEND_TIME) !== 0;
}

const GZIP = 1;
const ZSTD = 4;

/**
 * The batch's first record that is not older than `sinceMs`; one such record must exist. In a batch compressed with
 * snappy or lz4, which Node cannot read, it is the batch's first record: earlier than asked for, never later.
 */
export function firstRecordSince(
  batch: Buffer,
  header: BatchHeader,
  sinceMs: number,
): { timestampMs: number; offset: number } {
  const first = { timestampMs: header.maxTimestamp, offset: header.baseOffset };
  const records = appendTimed(header) ? undefined : plainRecords(batch, header.compression);
  if (records === undefined) return first;
  let at = 0;
  while (at < records.length) {
    const length = readVarint(records, at);
    const timestampDelta = readVarint(records, length.next + 1);
    const timestampMs = header.baseTimestamp + timestampDelta.value;
    const offsetDelta = readVarint(records, timestampDelta.next);
    if (timestampMs >= sinceMs)
      return { timestampMs, offset: header.baseOffset + offsetDelta.value };
    at = length.next + length.value;
  }
  return first;
}

function plainRecords(batch: Buffer, compression: number): Buffer | undefined {
  const records = batch.subarray(HEADER_BYTES);
  if (compression === 0) return records;
  if (compression === GZIP) return gunzipSync(records);
  return compression === ZSTD ? zstdDecompressSync(records) : undefined;
}

/** A zigzag varint and the position behind it. */
function readVarint(bytes: Buffer, at: number): { value: number; next: number } {
  let raw = 0;
  let next = at;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes.readUInt8(next);
    next += 1;
    raw += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return { value: raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2, next };
}
