import { StreamError } from "@adstream/engine/errors";

import { type Block, blockOf, copyLiteral, copyMatch } from "./block-output.ts";
import type { BodyMemory } from "./body-memory.ts";

const frameMagic = 0x184d2204;
const descriptorStart = 4;
/** After the magic: flags, block size, content size (if flagged), dictionary id (if flagged), header checksum. */
const flagsVersionMask = 0b1100_0000;
const flagsVersion = 0b0100_0000;
const blockChecksumFlag = 0b1_0000;
const contentSizeFlag = 0b1000;
const contentChecksumFlag = 0b100;
const dictionaryFlag = 0b1;
const uncompressedBlockFlag = 0x8000_0000;
const checksumBytes = 4;

/**
 * LZ4 frames, as Kafka has them since format 1 (LZ4 Frame Format 1.6.x). The checksums of header, blocks and content
 * are not looked at: the batch has its own, and old clients computed the header's over the wrong bytes.
 *
 * @returns a view of `memory`, unless it is too long to be kept there
 * @throws {StreamError} BATCH_CORRUPT
 */
export function decompressLz4(bytes: Uint8Array, maxBytes: number, memory: BodyMemory): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { flags, blockBytes, blocksStart } = readDescriptor(bytes, view);
  const blockTailBytes = flags & blockChecksumFlag ? checksumBytes : 0;
  // How long the body becomes is known only at its end.
  let output = blockOf(memory.bytes.subarray(0, maxBytes));
  let written = 0;
  let position = blocksStart;
  for (;;) {
    expectBytes(bytes, position, 4);
    const stated = view.getUint32(position, true);
    position += 4;
    if (stated === 0) break;
    const length = stated % uncompressedBlockFlag;
    if (length > blockBytes) throw corrupt(`block of ${length} bytes is longer than ${blockBytes}`);
    expectBytes(bytes, position, length + blockTailBytes);
    const block = blockOf(bytes.subarray(position, position + length));
    const compressed = stated === length;
    const gain = compressed ? blockGain(length, blockBytes) : length;
    output = withRoom(output, written, Math.min(written + gain, maxBytes), maxBytes);
    if (compressed) written = decompressBlock(block, output, written);
    else {
      copyLiteral(block, 0, output, written, length);
      written += length;
    }
    position += length + blockTailBytes;
  }
  expectBytes(bytes, position, flags & contentChecksumFlag ? checksumBytes : 0);
  memory.keep(output.bytes);
  return output.bytes.subarray(0, written);
}

type Descriptor = {
  readonly flags: number;
  /** The longest a block may be, before and after. */
  readonly blockBytes: number;
  readonly blocksStart: number;
};

function readDescriptor(bytes: Uint8Array, view: DataView): Descriptor {
  expectBytes(bytes, 0, descriptorStart + 3);
  const magic = view.getUint32(0, true);
  if (magic !== frameMagic) throw corrupt(`frame starts with ${magic.toString(16)}`);
  const flags = view.getUint8(descriptorStart);
  if ((flags & flagsVersionMask) !== flagsVersion) throw corrupt(`frame has flags ${flags}`);
  if (flags & dictionaryFlag) throw corrupt("frame needs a dictionary");
  const blockSize = (view.getUint8(descriptorStart + 1) >>> 4) & 7;
  if (blockSize < 4) throw corrupt(`frame has block size ${blockSize}`);
  const sizeBytes = flags & contentSizeFlag ? 8 : 0;
  return {
    flags,
    // 64 KiB, 256 KiB, 1 MiB, 4 MiB.
    blockBytes: 2 ** (8 + 2 * blockSize),
    blocksStart: descriptorStart + 2 + sizeBytes + 1,
  };
}

/** A byte gives 255 at the most, the first ones a little more; a block's own limit is lower still. */
function blockGain(compressedBytes: number, blockBytes: number): number {
  return Math.min(blockBytes, 255 * compressedBytes + 64);
}

/** The first `written` bytes of the output with room for `needed`, of which a block may use less; frames rarely say how long they become. */
function withRoom(output: Block, written: number, needed: number, maxBytes: number): Block {
  const { bytes } = output;
  if (bytes.length >= needed) return output;
  const grown = new Uint8Array(Math.min(maxBytes, Math.max(needed, 2 * bytes.length)));
  grown.set(bytes.subarray(0, written));
  return blockOf(grown);
}

/**
 * Sequences of a token (4 bits of literal length, 4 of match length), literals, and a match: distance as 16 bits,
 * little-endian, and at least four bytes of what came before, earlier blocks included. The last has literals only.
 *
 * @returns how many bytes of the output are written now
 */
function decompressBlock(block: Block, output: Block, written: number): number {
  const { bytes } = block;
  let at = written;
  let position = 0;
  while (position < bytes.length) {
    const token = bytes[position++] ?? 0;
    let literalBytes = token >>> 4;
    if (literalBytes === 15) {
      const start = position;
      position = afterLength(bytes, position);
      literalBytes += extendedLength(bytes, start, position);
    }
    copyLiteral(block, position, output, at, literalBytes);
    position += literalBytes;
    at += literalBytes;
    if (position === bytes.length) return at;
    expectBytes(bytes, position, 2);
    const distance = block.view.getUint16(position, true);
    position += 2;
    let matchBytes = (token & 15) + 4;
    if (matchBytes === 19) {
      const start = position;
      position = afterLength(bytes, position);
      matchBytes += extendedLength(bytes, start, position);
    }
    copyMatch(output, at, distance, matchBytes);
    at += matchBytes;
  }
  throw corrupt("block ends without its last literals");
}

/** A length goes on through bytes of 255 and one byte below. */
function afterLength(block: Uint8Array, start: number): number {
  let position = start;
  while (block[position] === 255) position++;
  expectBytes(block, position, 1);
  return position + 1;
}

function extendedLength(block: Uint8Array, start: number, end: number): number {
  return 255 * (end - 1 - start) + (block[end - 1] ?? 0);
}

function expectBytes(bytes: Uint8Array, position: number, length: number): void {
  if (length > bytes.length - position) throw corrupt("frame is cut short");
}

function corrupt(message: string): StreamError {
  return new StreamError("BATCH_CORRUPT", "stop", `lz4 ${message}`);
}
