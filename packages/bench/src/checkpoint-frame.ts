import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import type { Captured } from "@adstream/engine/checkpoint-chain";
import { type CheckpointHeader, stateSchemaVersion } from "@adstream/engine/checkpoint";
import type { PayloadCodec } from "@adstream/engine/ports";
import type { Task } from "@adstream/engine/task";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** As the processor does it. */
export const payloadCodec: PayloadCodec = {
  compress: (bytes) => compress(bytes),
  decompress: (bytes, maxBytes) => decompress(bytes, { maxOutputLength: maxBytes }),
};

/** A header like those of the processor, without settings. */
export function checkpointHeader(
  task: Task,
  { state, delta }: Pick<Captured, "state" | "delta">,
  seq: number,
): CheckpointHeader {
  const { nextOffset, counts } = task;
  return {
    kind: "checkpoint",
    job: "bench/checkpoint",
    partition: 0,
    seq,
    writer: { instance: "bench", nonce: "0", at: new Date(0).toISOString() },
    jobEpoch: 0,
    topology: "0",
    stateSchemaVersion,
    codeVersion: 1,
    log: { clusterId: "bench", topic: "bench", partitions: 1, nextOffset, canary: null },
    watermark: null,
    counts: { ...counts },
    decisions: [],
    stateBytes: state.length,
    delta,
  };
}
