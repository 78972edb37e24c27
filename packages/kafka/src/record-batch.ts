import { StreamError } from "@adstream/engine/errors";

import {
  createCursor,
  fail,
  malformed,
  readVarint,
  skipBytes,
  type ByteCursor,
} from "./byte-cursor.ts";
import {
  compressionCodecs,
  decompress,
  maxBodyBytes,
  type CompressionCodec,
} from "./compression.ts";
import type { BodyMemory } from "./compression/body-memory.ts";
import { crc32c } from "./crc32c.ts";
import {
  createFrame,
  expectBodyEnd,
  minRecordBytes,
  readRecordFrame,
  recordTime,
} from "./record-frame.ts";

/**
 * Head of a record batch, format 2 (KIP-98):
 *
 *     baseOffset int64 | batchLength int32 | partitionLeaderEpoch int32 | magic int8 | crc uint32 |
 *     attributes int16 | lastOffsetDelta int32 | baseTimestamp int64 | maxTimestamp int64 |
 *     producerId int64 | producerEpoch int16 | baseSequence int32 | recordCount int32 | records
 */
export type BatchHeader = {
  /** Offset of the first record that was ever in the batch; compaction may have removed it. */
  readonly baseOffset: number;
  /** Whole batch with this head. */
  readonly sizeBytes: number;
  /** Of everything from the attributes on. */
  readonly crc: number;
  readonly codec: CompressionCodec;
  readonly timestampType: "CreateTime" | "LogAppendTime";
  /** Written in a transaction, which may have been aborted. */
  readonly transactional: boolean;
  /** Holds a transaction marker instead of data. */
  readonly control: boolean;
  /** The batch covers offsets up to `baseOffset + lastOffsetDelta`, however many records it has. */
  readonly lastOffsetDelta: number;
  /** Epoch ms. */
  readonly baseTimestamp: number;
  /** Epoch ms; with LogAppendTime the timestamp of every record. */
  readonly maxTimestamp: number;
  /** -1 where the producer is not idempotent. */
  readonly producerId: number;
  readonly recordCount: number;
};

/** A batch that passed its checksum, with its records decompressed. */
export type OpenBatch = { readonly header: BatchHeader; readonly body: Uint8Array };

const headerBytes = 61;
const supportedMagic = 2;
const at = {
  baseOffset: 0,
  batchLength: 8,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  recordCount: 57,
} as const;
/** The batch length counts what follows it. */
const bytesBeforeLengthEnds = 12;
const codecMask = 0b111;
const logAppendTimeFlag = 0b1000;
const transactionalFlag = 0b1_0000;
const controlFlag = 0b10_0000;

/**
 * Head of the batch at `position`; more batches may follow it.
 *
 * @throws {StreamError} BATCH_CORRUPT when the batch is cut short, of another format, or its figures cannot be
 */
export function readBatchHeader(bytes: Uint8Array, position = 0): BatchHeader {
  const availableBytes = bytes.length - position;
  if (availableBytes < headerBytes) {
    throw corrupt(
      `record batch of ${availableBytes} bytes is shorter than its ${headerBytes} byte head`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + position, availableBytes);
  const magic = view.getInt8(at.magic);
  if (magic !== supportedMagic)
    throw corrupt(`record batch has magic ${magic}, not ${supportedMagic}`);
  const sizeBytes = view.getInt32(at.batchLength) + bytesBeforeLengthEnds;
  if (sizeBytes < headerBytes || sizeBytes > availableBytes) {
    throw corrupt(`record batch claims ${sizeBytes} bytes, ${availableBytes} are there`);
  }
  const attributes = view.getInt16(at.attributes);
  return {
    baseOffset: readOffset(view),
    sizeBytes,
    crc: view.getUint32(at.crc),
    codec: codecOf(attributes),
    timestampType: attributes & logAppendTimeFlag ? "LogAppendTime" : "CreateTime",
    transactional: (attributes & transactionalFlag) !== 0,
    control: (attributes & controlFlag) !== 0,
    lastOffsetDelta: readCount(view, at.lastOffsetDelta, "last offset delta"),
    baseTimestamp: Number(view.getBigInt64(at.baseTimestamp)),
    maxTimestamp: Number(view.getBigInt64(at.maxTimestamp)),
    producerId: Number(view.getBigInt64(at.producerId)),
    recordCount: readCount(view, at.recordCount, "record count"),
  };
}

/**
 * Checks and decompresses the one batch that `bytes` holds. An uncompressed body is a view of `bytes`.
 *
 * @param memory for a compressed body, which is a view of it then: the next one overwrites it
 * @throws {StreamError} BATCH_CORRUPT
 */
export function openBatch(
  bytes: Uint8Array,
  maxBytes: number = maxBodyBytes,
  memory?: BodyMemory,
): OpenBatch {
  const header = readBatchHeader(bytes);
  const { baseOffset, sizeBytes, recordCount, codec } = header;
  if (sizeBytes !== bytes.length) {
    throw corrupt(
      `record batch of ${sizeBytes} bytes is followed by ${bytes.length - sizeBytes} more`,
    );
  }
  const crc = crc32c(bytes, at.attributes, sizeBytes);
  if (crc !== header.crc) {
    throw corrupt(`record batch at offset ${baseOffset} has checksum ${crc}, not ${header.crc}`);
  }
  // Compaction leaves heads without records, which keep the codec of what they were.
  const packed = new Uint8Array(
    bytes.buffer,
    bytes.byteOffset + headerBytes,
    sizeBytes - headerBytes,
  );
  const body = recordCount === 0 ? new Uint8Array(0) : decompress(codec, packed, maxBytes, memory);
  if (recordCount > body.length / minRecordBytes) {
    throw corrupt(
      `record batch at offset ${baseOffset} claims ${recordCount} records in ${body.length} bytes`,
    );
  }
  return { header, body };
}

/** One record on its own; its bytes are views of the batch. */
export type BatchRecord = {
  readonly offset: number;
  /** Epoch ms; -1: none. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** In the order of the record; a name may come more than once. */
  readonly headers: readonly RecordHeader[];
};

export type RecordHeader = readonly [name: string, value: Uint8Array | null];

/**
 * All records of one batch, also those of an aborted or control batch: an object each, for what is not hot.
 *
 * @throws {StreamError} BATCH_CORRUPT
 */
export function readRecords(bytes: Uint8Array, maxBytes: number = maxBodyBytes): BatchRecord[] {
  const { header, body } = openBatch(bytes, maxBytes);
  const cursor = createCursor(body);
  const frame = createFrame();
  const records: BatchRecord[] = [];
  for (let index = 0; index < header.recordCount; index++) {
    readRecordFrame(cursor, frame, header);
    records.push({
      offset: header.baseOffset + frame.offsetDelta,
      timestamp: recordTime(header, frame.timestampDelta),
      key: part(body, frame.keyStart, frame.keyLength),
      value: part(body, frame.valueStart, frame.valueLength),
      headers: readHeaders(cursor, frame.end),
    });
    if (cursor.fault !== 0 || cursor.position !== frame.end) {
      throw corrupt(`headers of the record at offset ${records.at(-1)?.offset} break it`);
    }
  }
  expectBodyEnd(cursor, header);
  return records;
}

/** Count varint, then for each: name length varint, name, value length varint (-1: null), value. */
function readHeaders(cursor: ByteCursor, end: number): RecordHeader[] {
  const headers: RecordHeader[] = [];
  const count = readVarint(cursor);
  for (let index = 0; index < count && cursor.position < end; index++) {
    const name = readPart(cursor);
    const value = readPart(cursor);
    headers.push([Buffer.from(name ?? []).toString(), value]);
  }
  if (headers.length !== count) fail(cursor, malformed);
  return headers;
}

function readPart(cursor: ByteCursor): Uint8Array | null {
  const length = readVarint(cursor);
  const start = cursor.position;
  if (length > 0) skipBytes(cursor, length);
  return cursor.fault === 0 ? part(cursor.bytes, start, length) : null;
}

function part(bytes: Uint8Array, start: number, length: number): Uint8Array | null {
  return length < 0 ? null : bytes.subarray(start, start + length);
}

function readOffset(view: DataView): number {
  const offset = Number(view.getBigInt64(at.baseOffset));
  const highest = offset + view.getInt32(at.lastOffsetDelta);
  if (offset < 0 || !Number.isSafeInteger(highest)) {
    throw corrupt(`record batch has base offset ${view.getBigInt64(at.baseOffset)}`);
  }
  return offset;
}

function readCount(view: DataView, position: number, name: string): number {
  const count = view.getInt32(position);
  if (count < 0) throw corrupt(`record batch has ${name} ${count}`);
  return count;
}

function codecOf(attributes: number): CompressionCodec {
  const codec = compressionCodecs[attributes & codecMask];
  if (codec === undefined) throw corrupt(`record batch has codec ${attributes & codecMask}`);
  return codec;
}

function corrupt(message: string): StreamError {
  return new StreamError("BATCH_CORRUPT", "stop", message);
}
