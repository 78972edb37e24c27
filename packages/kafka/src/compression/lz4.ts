import { StreamError } from "@adstream/engine/errors";

import { appendCopy, appendLiteral, type BlockOutput } from "./block-output.ts";

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
 * @throws {StreamError} BATCH_CORRUPT
 */
export function decompressLz4(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { flags, blockBytes, blocksStart } = readDescriptor(bytes, view);
  const blockTailBytes = flags & blockChecksumFlag ? checksumBytes : 0;
  let output: BlockOutput = { bytes: new Uint8Array(0), length: 0 };
  let position = blocksStart;
  for (;;) {
    expectBytes(bytes, position, 4);
    const stated = view.getUint32(position, true);
    position += 4;
    if (stated === 0) break;
    const length = stated % uncompressedBlockFlag;
    if (length > blockBytes) throw corrupt(`block of ${length} bytes is longer than ${blockBytes}`);
    expectBytes(bytes, position, length + blockTailBytes);
    const block = bytes.subarray(position, position + length);
    output = withRoom(output, stated === length ? blockGain(block, blockBytes) : length, maxBytes);
    if (stated === length) decompressBlock(block, output);
    else appendLiteral(output, block, 0, length);
    position += length + blockTailBytes;
  }
  expectBytes(bytes, position, flags & contentChecksumFlag ? checksumBytes : 0);
  return output.bytes.subarray(0, output.length);
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
function blockGain(block: Uint8Array, blockBytes: number): number {
  return Math.min(blockBytes, 255 * block.length + 64);
}

/** Room for `bytes` more, of which a block may use less; frames rarely say how long they become. */
function withRoom(output: BlockOutput, bytes: number, maxBytes: number): BlockOutput {
  const needed = Math.min(output.length + bytes, maxBytes);
  if (output.bytes.length >= needed) return output;
  const grown = new Uint8Array(Math.min(maxBytes, Math.max(needed, 2 * output.bytes.length)));
  grown.set(output.bytes.subarray(0, output.length));
  return { bytes: grown, length: output.length };
}

/**
 * Sequences of a token (4 bits of literal length, 4 of match length), literals, and a match: distance as 16 bits,
 * little-endian, and at least four bytes of what came before, earlier blocks included. The last has literals only.
 */
function decompressBlock(block: Uint8Array, output: BlockOutput): void {
  let position = 0;
  while (position < block.length) {
    const token = block[position++] ?? 0;
    let literalBytes = token >>> 4;
    if (literalBytes === 15) {
      const start = position;
      position = afterLength(block, position);
      literalBytes += extendedLength(block, start, position);
    }
    appendLiteral(output, block, position, literalBytes);
    position += literalBytes;
    if (position === block.length) return;
    expectBytes(block, position, 2);
    const distance = (block[position] ?? 0) | ((block[position + 1] ?? 0) << 8);
    position += 2;
    let matchBytes = (token & 15) + 4;
    if (matchBytes === 19) {
      const start = position;
      position = afterLength(block, position);
      matchBytes += extendedLength(block, start, position);
    }
    appendCopy(output, distance, matchBytes);
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
