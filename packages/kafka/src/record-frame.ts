import { StreamError } from "@adstream/engine/errors";

import { readVarint, readVarlong, type ByteCursor } from "./byte-cursor.ts";
import type { BatchHeader } from "./record-batch.ts";

/** Where the parts of one record lie in the body of its batch; filled again for each record. */
export type RecordFrame = {
  offsetDelta: number;
  timestampDelta: number;
  keyStart: number;
  /** -1: null. */
  keyLength: number;
  valueStart: number;
  /** -1: null. */
  valueLength: number;
  /** Where the headers end, and the record. */
  end: number;
};

/** Length, attributes, two deltas, two lengths and the header count take a byte each. */
export const minRecordBytes = 7;

export function createFrame(): RecordFrame {
  return {
    offsetDelta: -1,
    timestampDelta: 0,
    keyStart: 0,
    keyLength: -1,
    valueStart: 0,
    valueLength: -1,
    end: 0,
  };
}

/**
 * Reads the record at the cursor up to its headers and leaves the cursor there:
 *
 *     length varint | attributes int8 | timestampDelta varlong | offsetDelta varint |
 *     keyLength varint | key | valueLength varint | value | headers
 *
 * `frame` holds the record before it: offsets of a batch rise.
 *
 * @throws {StreamError} BATCH_CORRUPT
 */
export function readRecordFrame(cursor: ByteCursor, frame: RecordFrame, header: BatchHeader): void {
  const lengthBytes = readVarint(cursor);
  const end = cursor.position + lengthBytes;
  const lastOffsetDelta = frame.offsetDelta;
  cursor.position++;
  frame.timestampDelta = readVarlong(cursor);
  frame.offsetDelta = readVarint(cursor);
  frame.keyLength = readVarint(cursor);
  frame.keyStart = cursor.position;
  if (frame.keyLength > 0) cursor.position += frame.keyLength;
  frame.valueLength = readVarint(cursor);
  frame.valueStart = cursor.position;
  if (frame.valueLength > 0) cursor.position += frame.valueLength;
  frame.end = end;
  if (
    cursor.fault !== 0 ||
    cursor.position >= end ||
    end > cursor.end ||
    frame.keyLength < -1 ||
    frame.valueLength < -1 ||
    frame.offsetDelta <= lastOffsetDelta ||
    frame.offsetDelta > header.lastOffsetDelta
  ) {
    throw new StreamError(
      "BATCH_CORRUPT",
      "stop",
      `record after offset ${header.baseOffset + lastOffsetDelta} breaks the batch at offset ${header.baseOffset}`,
    );
  }
}

/** @throws {StreamError} BATCH_CORRUPT when bytes follow the last record */
export function expectBodyEnd(cursor: ByteCursor, header: BatchHeader): void {
  if (cursor.position === cursor.end) return;
  const leftBytes = cursor.end - cursor.position;
  throw new StreamError(
    "BATCH_CORRUPT",
    "stop",
    `${leftBytes} bytes follow the last record of the batch at offset ${header.baseOffset}`,
  );
}

/** Kafka's own timestamp of a record, epoch ms; -1: none. */
export function recordTime(header: BatchHeader, timestampDelta: number): number {
  return header.timestampType === "LogAppendTime"
    ? header.maxTimestamp
    : header.baseTimestamp + timestampDelta;
}
