import zlib from "node:zlib";

import { StreamError } from "@adstream/engine/errors";

import { BodyMemory } from "./compression/body-memory.ts";
import { decompressLz4 } from "./compression/lz4.ts";
import { decompressSnappy } from "./compression/snappy.ts";

/** In the order of their numbers in a batch's attributes. */
export const compressionCodecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type CompressionCodec = (typeof compressionCodecs)[number];

/** Against bombs: far above what brokers accept as one batch, far below what a process has. */
export const maxBodyBytes: number = 64 * 1024 * 1024;

/** What zlib makes of a body at once: above what producers commonly make of a batch. Its default of 16 KiB is several steps, and a copy. */
const chunkBytes = 128 * 1024;

/** For bodies that are copied out of it at once. */
const passing = new BodyMemory();

/**
 * The records of a batch, decompressed: a view of `bytes` for "none", else an array of its own, or a view of `memory`
 * where that is given: the next body overwrites it.
 *
 * Snappy and lz4 are ours: bounded before they allocate, and no binary to install. zstd, which Node brings, packs
 * tighter and unpacks faster than either.
 *
 * @param maxBytes highest length of the result
 * @throws {StreamError} BATCH_CORRUPT when the content is broken or too long
 */
export function decompress(
  codec: CompressionCodec,
  bytes: Uint8Array,
  maxBytes: number = maxBodyBytes,
  memory?: BodyMemory,
): Uint8Array {
  const body = decompressors[codec](bytes, maxBytes, memory ?? passing);
  return memory === undefined && passing.holds(body) ? body.slice() : body;
}

type Decompressor = (bytes: Uint8Array, maxBytes: number, memory: BodyMemory) => Uint8Array;

const decompressors: Readonly<Record<CompressionCodec, Decompressor>> = {
  none: (bytes, maxBytes) => {
    if (bytes.length <= maxBytes) return bytes;
    throw corrupt(`uncompressed body of ${bytes.length} bytes is longer than ${maxBytes}`);
  },
  gzip: (bytes, maxBytes) =>
    inflate("gzip", () =>
      zlib.gunzipSync(bytes, { maxOutputLength: maxBytes, chunkSize: chunkBytes }),
    ),
  snappy: decompressSnappy,
  lz4: decompressLz4,
  zstd: (bytes, maxBytes) =>
    inflate("zstd", () =>
      zlib.zstdDecompressSync(bytes, { maxOutputLength: maxBytes, chunkSize: chunkBytes }),
    ),
};

function inflate(codec: CompressionCodec, run: () => Buffer): Uint8Array {
  try {
    const { buffer, byteOffset, length } = run();
    // A plain array as with the other codecs: loops over bodies stay compiled for one kind of array.
    return new Uint8Array(buffer, byteOffset, length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw corrupt(`${codec} body: ${reason}`, { cause });
  }
}

function corrupt(message: string, options?: ErrorOptions): StreamError {
  return new StreamError("BATCH_CORRUPT", "stop", message, options);
}
