import zlib from "node:zlib";
import kafkajs from "kafkajs";
import { compressFrameSync, decompressFrameSync } from "lz4-napi";
import snappy from "snappy";

/** In the order of their numbers in a batch's attributes. */
export const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Codec = (typeof codecs)[number];

export function codecNumber(codec: Codec): number {
  return codecs.indexOf(codec);
}

export function compressBody(codec: Codec, body: Buffer): Uint8Array {
  return compressors[codec](body);
}

const compressors: Readonly<Record<Codec, (body: Buffer) => Uint8Array>> = {
  none: (body) => body,
  gzip: (body) => zlib.gzipSync(body),
  snappy: (body) => snappy.compressSync(body),
  lz4: (body) => compressFrameSync(body),
  zstd: (body) => zlib.zstdCompressSync(body),
};

/** Gives kafkajs the codecs that it lacks, from the packages people take. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const readOnly = (decompress: (body: Buffer) => Promise<Buffer>) => () => ({
    compress: () => Promise.reject(new Error("nothing is written with it")),
    decompress,
  });
  CompressionCodecs[CompressionTypes.Snappy] = readOnly(async (body) =>
    Buffer.from(await snappy.uncompress(body)),
  );
  CompressionCodecs[CompressionTypes.LZ4] = readOnly(async (body) => decompressFrameSync(body));
  CompressionCodecs[CompressionTypes.ZSTD] = readOnly(async (body) =>
    zlib.zstdDecompressSync(body),
  );
}
