import { crc32c } from "@adstream/kafka/crc32c";
import type { EventChunk } from "./ad-events.ts";
import { type Codec, codecNumber, compressBody } from "./codecs.ts";

/** Writes the Kafka value of an event and returns where it ends. */
export type ValueWriter = (into: Buffer, chunk: EventChunk, row: number) => number;

const headBytes = 61;
/** A batch is closed when its records reach this. */
const batchBytes = 64 * 1024;
const longestRecordBytes = 1024;

/**
 * Record batches of one partition, written by hand (KIP-98; the layout is in packages/kafka/src/record-batch.ts): a
 * client would take longer to fill the topic than the processor to drain it.
 */
export class BatchBuilder {
  readonly #codec: Codec;
  readonly #body = Buffer.alloc(batchBytes + longestRecordBytes);
  readonly #value = Buffer.alloc(longestRecordBytes);
  #size = 0;
  #count = 0;
  #firstTime = 0;
  #lastTime = 0;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#size >= batchBytes;
  }

  add(key: Buffer, chunk: EventChunk, row: number, writeValue: ValueWriter): void {
    const time = chunk.logTime[row] ?? 0;
    if (this.#count === 0) this.#firstTime = time;
    const valueBytes = writeValue(this.#value, chunk, row);
    const timeDelta = time - this.#firstTime;
    const sizeBytes =
      2 +
      varintBytes(timeDelta) +
      varintBytes(this.#count) +
      varintBytes(key.length) +
      key.length +
      varintBytes(valueBytes) +
      valueBytes;
    const body = this.#body;
    let at = writeVarint(body, this.#size, sizeBytes);
    body[at++] = 0; // attributes
    at = writeVarint(body, at, timeDelta);
    at = writeVarint(body, at, this.#count);
    at = writeVarint(body, at, key.length);
    at += key.copy(body, at);
    at = writeVarint(body, at, valueBytes);
    at += this.#value.copy(body, at, 0, valueBytes);
    body[at++] = 0; // no headers
    this.#size = at;
    this.#count++;
    this.#lastTime = time;
  }

  /** The batch so far; the next record begins another one. */
  take(): Buffer {
    const body = compressBody(this.#codec, this.#body.subarray(0, this.#size));
    const batch = Buffer.alloc(headBytes + body.length);
    batch.set(body, headBytes);
    batch.writeInt32BE(batch.length - 12, 8);
    batch.writeInt32BE(-1, 12); // leader epoch
    batch.writeInt8(2, 16); // magic
    batch.writeInt16BE(codecNumber(this.#codec), 21);
    batch.writeInt32BE(this.#count - 1, 23);
    batch.writeBigInt64BE(BigInt(this.#firstTime), 27);
    batch.writeBigInt64BE(BigInt(this.#lastTime), 35);
    batch.fill(0xff, 43, 57); // no producer id, epoch and sequence
    batch.writeInt32BE(this.#count, 57);
    batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17);
    this.#size = 0;
    this.#count = 0;
    return batch;
  }
}

/** Of a number from 0 to 2^30, zigzag. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >> 6; rest > 0; rest >>= 7) bytes++;
  return bytes;
}

function writeVarint(into: Buffer, position: number, value: number): number {
  let at = position;
  let rest = value << 1;
  for (; rest > 0x7f; rest >>>= 7) into[at++] = (rest & 0x7f) | 0x80;
  into[at++] = rest;
  return at;
}
