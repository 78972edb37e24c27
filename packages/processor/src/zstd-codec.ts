import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { StreamError } from "@adstream/engine/errors";
import type { PayloadCodec } from "@adstream/engine/ports";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Checkpoint payloads by zstd, on the thread pool: a state of zeros and small numbers shrinks to a fifth. */
export const zstdCodec: PayloadCodec = {
  compress: (bytes) => compress(bytes),
  async decompress(bytes, maxBytes) {
    try {
      // A bound of 0 would mean none.
      return await decompress(bytes, { maxOutputLength: Math.max(1, maxBytes) });
    } catch (cause) {
      const text = `checkpoint payload of ${bytes.length} bytes cannot be decompressed to ${maxBytes}`;
      throw new StreamError("CHECKPOINT_UNREADABLE", "stop", text, { cause });
    }
  },
};
