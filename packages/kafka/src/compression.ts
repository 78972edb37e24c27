import { StreamError } from "@adstream/engine/errors";

/** In the order of their numbers in a batch's attributes. */
export const compressionCodecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type CompressionCodec = (typeof compressionCodecs)[number];

/** Against bombs: far above what brokers accept as one batch, far below what a process has. */
export const maxBodyBytes: number = 64 * 1024 * 1024;

/** @throws {StreamError} BATCH_CORRUPT */
export function decompress(
  codec: CompressionCodec,
  bytes: Uint8Array,
  _maxBytes: number = maxBodyBytes,
): Uint8Array {
  if (codec === "none") return bytes;
  throw new StreamError("BATCH_CORRUPT", "stop", `codec ${codec}`);
}
