import { createRequire } from "node:module";
import { compressFrameSync, decompressFrameSync } from "lz4-napi";
import { compressSync, uncompressSync } from "snappy";
import zlib from "node:zlib";

const require = createRequire(import.meta.url);

/** The parts of kafkajs' own batch code that the tests take as an oracle. */
type KafkajsEncoder = { readonly buffer: Buffer };
type EncodeRecord = (record: {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>;
}) => KafkajsEncoder;
type EncodeBatch = (batch: {
  readonly compression: number;
  readonly firstOffset: bigint | string;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly lastOffsetDelta: number;
  readonly transactional: boolean;
  readonly producerId: number;
  readonly records: readonly KafkajsEncoder[];
}) => Promise<KafkajsEncoder>;
export type KafkajsRecord = {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>;
};
type DecodedBatch = {
  readonly records: readonly KafkajsRecord[];
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly producerId: string;
  readonly lastOffsetDelta: number;
};
type DecodeBatch = (decoder: unknown) => Promise<DecodedBatch>;

const folder = "kafkajs/src/protocol";
export const encodeKafkajsRecord: EncodeRecord = require(
  `${folder}/recordBatch/record/v0/index.js`,
);
export const encodeKafkajsBatch: EncodeBatch = require(
  `${folder}/recordBatch/v0/index.js`,
).RecordBatch;
const decodeBatch: DecodeBatch = require(`${folder}/recordBatch/v0/decoder.js`);
const Decoder: new (bytes: Buffer) => unknown = require(`${folder}/decoder.js`);
const { CompressionCodecs } = require("kafkajs");

type Codec = {
  compress(encoder: KafkajsEncoder): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
};
const codec =
  (compress: (b: Buffer) => Buffer, decompress: (b: Buffer) => Buffer) => (): Codec => ({
    compress: async ({ buffer }) => compress(buffer),
    decompress: async (bytes) => decompress(bytes),
  });

// kafkajs brings gzip only; the others are the packages that people plug in.
CompressionCodecs[2] = codec(compressSync, (bytes) => Buffer.from(uncompressSync(bytes)));
CompressionCodecs[3] = codec(compressFrameSync, decompressFrameSync);
CompressionCodecs[4] = codec(zlib.zstdCompressSync, zlib.zstdDecompressSync);

export function decodeKafkajsBatch(bytes: Buffer): Promise<DecodedBatch> {
  return decodeBatch(new Decoder(bytes));
}
