import { StreamError } from "@adstream/engine/errors";

import { blockOf, copyLiteral, copyMatch } from "./block-output.ts";
import type { BodyMemory } from "./body-memory.ts";

/** First bytes of the framing of Java's snappy-java: 0x82 "SNAPPY" 0x00, version, compatible version. */
const xerialMagic = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00);
const xerialHeaderBytes = 16;
const chunkLengthBytes = 4;
/** By the two low bits of a copy's tag. */
const copyDistanceBytes = [0, 1, 2, 4];

/**
 * Snappy as Kafka clients write it: one raw block (librdkafka and others), or xerial's chunks of raw blocks (Java),
 * each behind its length as int32, big-endian.
 *
 * @returns a view of `memory`, unless it is too long to be kept there
 * @throws {StreamError} BATCH_CORRUPT
 */
export function decompressSnappy(
  bytes: Uint8Array,
  maxBytes: number,
  memory: BodyMemory,
): Uint8Array {
  const chunks = isXerial(bytes) ? xerialChunks(bytes) : [bytes];
  const blocks = chunks.map(readPreamble);
  let totalBytes = 0;
  for (const { uncompressedBytes } of blocks) totalBytes += uncompressedBytes;
  if (totalBytes > maxBytes) {
    throw corrupt(`body of ${totalBytes} bytes is longer than ${maxBytes}`);
  }
  const output = memory.take(totalBytes);
  let written = 0;
  for (const block of blocks) {
    decompressBlock(block, output.subarray(written, written + block.uncompressedBytes));
    written += block.uncompressedBytes;
  }
  return output;
}

type Preambled = {
  readonly bytes: Uint8Array;
  /** Where its elements start. */
  readonly start: number;
  readonly uncompressedBytes: number;
};

/** A block states its length first: varint, at most 5 bytes. */
function readPreamble(bytes: Uint8Array): Preambled {
  let uncompressedBytes = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[index];
    if (byte === undefined) break;
    uncompressedBytes += (byte & 0x7f) * 2 ** (7 * index);
    if (byte > 0x7f) continue;
    // The most that an element gives is 64 bytes for its three: a longer claim is a bomb.
    if (uncompressedBytes > bytes.length * 22) break;
    return { bytes, start: index + 1, uncompressedBytes };
  }
  throw corrupt("block states no possible length");
}

/**
 * Elements: the two low bits of the tag tell a literal (00) from copies with a distance of 11 bits (01), 16 (10)
 * or 32 (11). Distances may not reach into the block before.
 */
function decompressBlock({ bytes, start }: Preambled, into: Uint8Array): void {
  const source = blockOf(bytes);
  const output = blockOf(into);
  let at = 0;
  let position = start;
  while (position < bytes.length) {
    const tag = bytes[position++] ?? 0;
    const upper = tag >>> 2;
    let length = upper + 1;
    if ((tag & 3) === 0) {
      if (upper >= 60) {
        length = littleEndian(bytes, position, upper - 59) + 1;
        position += upper - 59;
      }
      copyLiteral(source, position, output, at, length);
      position += length;
    } else {
      const distanceBytes = copyDistanceBytes[tag & 3] ?? 0;
      let distance = littleEndian(bytes, position, distanceBytes);
      if (distanceBytes === 1) {
        length = (upper & 7) + 4;
        distance |= (tag >>> 5) << 8;
      }
      copyMatch(output, at, distance, length);
      position += distanceBytes;
    }
    at += length;
  }
  if (at !== into.length) throw corrupt(`block gives ${at} bytes, not ${into.length}`);
}

function isXerial(bytes: Uint8Array): boolean {
  return (
    bytes.length >= xerialHeaderBytes && xerialMagic.every((byte, index) => bytes[index] === byte)
  );
}

function xerialChunks(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Uint8Array[] = [];
  let position = xerialHeaderBytes;
  while (position < bytes.length) {
    const start = position + chunkLengthBytes;
    const length = start <= bytes.length ? view.getInt32(position) : -1;
    if (length < 0 || length > bytes.length - start) throw corrupt("chunk is cut short");
    chunks.push(bytes.subarray(start, start + length));
    position = start + length;
  }
  return chunks;
}

function littleEndian(bytes: Uint8Array, position: number, length: number): number {
  if (length > bytes.length - position) throw corrupt("block is cut short");
  let value = 0;
  for (let index = 0; index < length; index++) {
    value |= (bytes[position + index] ?? 0) << (8 * index);
  }
  return value >>> 0;
}

function corrupt(message: string): StreamError {
  return new StreamError("BATCH_CORRUPT", "stop", `snappy ${message}`);
}
