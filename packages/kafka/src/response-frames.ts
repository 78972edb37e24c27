import type { FrameBuffers } from "./frame-buffers.ts";

/** A whole response of a broker with its length before it. */
type Frame = Buffer;

const lengthBytes = 4;
/** Far above what is asked for (8 MiB) and what brokers accept (100 MiB); other protocols begin with larger numbers. */
const maxFrameBytes = 256 * 1024 * 1024;

/**
 * Where a connection puts the bytes that it reads: `length int32 | as many bytes`, one after the other.
 *
 * A read gets no further than the length, or the frame, that it fills: no byte is copied.
 */
export class ResponseFrames {
  readonly #buffers: FrameBuffers;
  readonly #length = Buffer.alloc(lengthBytes);
  #frame: Frame | undefined;
  /** Bytes of the length, or of the frame, that are there. */
  #filled = 0;

  constructor(buffers: FrameBuffers) {
    this.#buffers = buffers;
  }

  /** Where the next bytes belong; never empty. */
  get space(): Uint8Array {
    return (this.#frame ?? this.#length).subarray(this.#filled);
  }

  /**
   * Notes that the first `count` bytes of the space are there.
   *
   * @returns the frame that is complete with them, "partial" while none is; "refused" when a length cannot be: this is
   *   no Kafka broker
   */
  fill(count: number): Frame | "partial" | "refused" {
    this.#filled += count;
    if (this.#frame === undefined) {
      if (this.#filled < lengthBytes) return "partial";
      const bytes = this.#length.readInt32BE(0);
      if (bytes < 0 || bytes > maxFrameBytes) return "refused";
      this.#frame = this.#begin(lengthBytes + bytes);
    }
    const frame = this.#frame;
    if (this.#filled < frame.length) return "partial";
    this.#frame = undefined;
    this.#filled = 0;
    return frame;
  }

  #begin(bytes: number): Frame {
    const frame = Buffer.from(this.#buffers.take(bytes), 0, bytes);
    frame.set(this.#length);
    return frame;
  }
}
