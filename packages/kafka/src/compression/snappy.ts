import { StreamError } from "@adstream/engine/errors";

import { appendCopy, appendLiteral, type BlockOutput } from "./block-output.ts";

/** First bytes of the framing of Java's snappy-java: 0x82 "SNAPPY" 0x00, version, compatible version. */
const xerialMagic = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00);
const xerialHeaderBytes = 16;
const chunkLengthBytes = 4;

/**
 * Snappy as Kafka clients write it: one raw block (librdkafka and others), or xerial's chunks of raw blocks (Java),
 * each behind its length as int32, big-endian.
 *
 * @throws {StreamError} BATCH_CORRUPT
 */
export function decompressSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const chunks = isXerial(bytes) ? xerialChunks(bytes) : [bytes];
  const blocks = chunks.map(readPreamble);
  let totalBytes = 0;
  for (const { uncompressedBytes } of blocks) totalBytes += uncompressedBytes;
  if (totalBytes > maxBytes) {
    throw corrupt(`body of ${totalBytes} bytes is longer than ${maxBytes}`);
  }
  const output: BlockOutput = { bytes: new Uint8Array(totalBytes), length: 0 };
  for (const block of blocks) decompressBlock(block, output);
  return output.bytes;
}

type Block = {
  readonly bytes: Uint8Array;
  /** Where its elements start. */
  readonly start: number;
  readonly uncompressedBytes: number;
};

/** A block states its length first: varint, at most 5 bytes. */
function readPreamble(bytes: Uint8Array): Block {
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
function decompressBlock({ bytes, start, uncompressedBytes }: Block, whole: BlockOutput): void {
  const output = {
    bytes: whole.bytes.subarray(whole.length, whole.length + uncompressedBytes),
    length: 0,
  };
  let position = start;
  while (position < bytes.length) {
    const tag = bytes[position++] ?? 0;
    const upper = tag >>> 2;
    switch (tag & 3) {
      case 0: {
        const extraBytes = Math.max(0, upper - 59);
        const length = (extraBytes === 0 ? upper : littleEndian(bytes, position, extraBytes)) + 1;
        position += extraBytes;
        appendLiteral(output, bytes, position, length);
        position += length;
        break;
      }
      case 1:
        appendCopy(output, ((tag >>> 5) << 8) | littleEndian(bytes, position, 1), (upper & 7) + 4);
        position += 1;
        break;
      case 2:
        appendCopy(output, littleEndian(bytes, position, 2), upper + 1);
        position += 2;
        break;
      default:
        appendCopy(output, littleEndian(bytes, position, 4), upper + 1);
        position += 4;
    }
  }
  if (output.length !== uncompressedBytes) {
    throw corrupt(`block gives ${output.length} bytes, not ${uncompressedBytes}`);
  }
  whole.length += uncompressedBytes;
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
