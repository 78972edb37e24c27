import { copyBytes } from "@adstream/engine/copy-bytes";

import type { OutgoingRecord } from "./outgoing-records.ts";
import { keyPartition } from "./key-partition.ts";

/** Records of one partition as they lie in a record batch, behind its head. */
export type RecordBlock = {
  readonly partition: number;
  readonly records: number;
  /** A view, overwritten after `clear`. */
  readonly bytes: Buffer;
};

/** Half of what brokers take as one batch by default: the record that fills a block is still to fit. */
const fullBytes = 512 * 1024;
const firstBytes = 16 * 1024;
/** Five varints, attributes and the count of headers, at their longest. */
const maxOverheadBytes = 32;

type Block = { buffer: Buffer; size: number; records: number };

/**
 * Records of one topic, written as they will lie in the log into buffers that are used again: nothing is made for a
 * record. They have a key, no headers, and the time at which they are sent.
 *
 *     length varint | attributes int8 | timestamp delta varint | offset delta varint |
 *     key length varint | key | value length varint (-1: null) | value | header count varint
 *
 * Back pressure: whoever appends asks `full` before each record, and sends first where it is.
 */
export class RecordBlocks {
  readonly topic: string;
  #blocks: Block[] = [];
  #records = 0;
  #full = false;

  /** @param partitions of the topic, 1 or more */
  constructor(topic: string, partitions: number) {
    this.topic = topic;
    this.spreadOver(partitions);
  }

  get records(): number {
    return this.#records;
  }

  /** Whether one of the blocks is as large as it should get. */
  get full(): boolean {
    return this.#full;
  }

  /** From now on keys are spread over so many partitions; only while there are no records. */
  spreadOver(partitions: number): void {
    while (this.#blocks.length < partitions) {
      this.#blocks.push({ buffer: Buffer.allocUnsafe(firstBytes), size: 0, records: 0 });
    }
    this.#blocks.length = partitions;
  }

  /**
   * The key decides the partition, as `keyPartition` says. The bytes are copied.
   * @param valueBytes of the value, from its start: a view of so much costs more than the copy
   * @param keyBytes of the key, likewise
   */
  append(
    key: Uint8Array,
    value: Uint8Array | null,
    valueBytes = value?.length ?? 0,
    keyBytes = key.length,
  ): void {
    const block = this.#blocks[keyPartition(key, this.#blocks.length, keyBytes)];
    if (block === undefined) return;
    const sizeBytes =
      3 + // attributes, timestamp delta 0, no headers
      varintBytes(block.records) +
      varintBytes(keyBytes) +
      keyBytes +
      varintBytes(value === null ? -1 : valueBytes) +
      valueBytes;
    reserve(block, sizeBytes + maxOverheadBytes);
    const { buffer } = block;
    let at = writeVarint(buffer, block.size, sizeBytes);
    buffer[at++] = 0;
    buffer[at++] = 0;
    at = writeVarint(buffer, at, block.records);
    at = writeVarint(buffer, at, keyBytes);
    at = copyBytes(key, 0, keyBytes, buffer, at);
    at = writeVarint(buffer, at, value === null ? -1 : valueBytes);
    if (value !== null) at = copyBytes(value, 0, valueBytes, buffer, at);
    buffer[at++] = 0;
    block.size = at;
    block.records++;
    this.#records++;
    if (at >= fullBytes) this.#full = true;
  }

  /** Those that hold records. */
  blocks(): RecordBlock[] {
    return this.#blocks.flatMap(({ buffer, size, records }, partition) =>
      records === 0 ? [] : [{ partition, records, bytes: buffer.subarray(0, size) }],
    );
  }

  /** The records one by one, in the order of their partition; views of the blocks. */
  *outgoing(): Generator<OutgoingRecord> {
    for (const { buffer, size } of this.#blocks) {
      for (let at = 0; at < size;) {
        const cursor = { buffer, at };
        readVarint(cursor);
        cursor.at += 2;
        readVarint(cursor);
        const key = readPart(cursor) ?? buffer.subarray(0, 0);
        const value = readPart(cursor);
        at = cursor.at + 1;
        yield { topic: this.topic, key, value };
      }
    }
  }

  clear(): void {
    for (const block of this.#blocks) {
      block.size = 0;
      block.records = 0;
    }
    this.#records = 0;
    this.#full = false;
  }
}

function reserve(block: Block, bytes: number): void {
  const needed = block.size + bytes;
  if (needed <= block.buffer.length) return;
  const grown = Buffer.allocUnsafe(2 ** Math.ceil(Math.log2(needed)));
  block.buffer.copy(grown, 0, 0, block.size);
  block.buffer = grown;
}

/** Zigzag: even numbers are the positive ones. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = ((value << 1) ^ (value >> 31)) >>> 7; rest !== 0; rest >>>= 7) bytes++;
  return bytes;
}

function writeVarint(into: Buffer, position: number, value: number): number {
  let at = position;
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 0x7f; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at++] = rest;
  return at;
}

type Cursor = { readonly buffer: Buffer; at: number };

function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = cursor.buffer[cursor.at++] ?? 0;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
  }
}

function readPart(cursor: Cursor): Buffer | null {
  const length = readVarint(cursor);
  if (length < 0) return null;
  const start = cursor.at;
  cursor.at += length;
  return cursor.buffer.subarray(start, cursor.at);
}
