/** A whole response of a broker with its length before it. */
type Frame = Buffer;

const lengthBytes = 4;
/** Far above what is asked for (8 MiB) and what brokers accept (100 MiB); other protocols begin with larger numbers. */
const maxFrameBytes = 256 * 1024 * 1024;

/**
 * Puts together what a connection brings in pieces: `length int32 | as many bytes`, one after the other.
 *
 * Each byte is copied once, into the frame that it belongs to, so the pieces may be overwritten afterwards.
 */
export class ResponseFrames {
  #length = Buffer.alloc(lengthBytes);
  #frame: Frame | undefined;
  /** Bytes of the length, or of the frame, that are there. */
  #filled = 0;

  /** @returns the frames that are complete with these bytes; undefined when a length cannot be: this is no Kafka broker */
  take(piece: Uint8Array): Frame[] | undefined {
    const complete: Frame[] = [];
    for (let at = 0; at < piece.length;) {
      const target = this.#frame ?? this.#length;
      const count = Math.min(target.length - this.#filled, piece.length - at);
      target.set(piece.subarray(at, at + count), this.#filled);
      at += count;
      this.#filled += count;
      if (this.#frame === undefined && this.#filled === lengthBytes) {
        this.#frame = this.#begin();
        if (this.#frame === undefined) return undefined;
      }
      if (this.#filled !== this.#frame?.length) continue;
      complete.push(this.#frame);
      this.#frame = undefined;
      this.#filled = 0;
    }
    return complete;
  }

  #begin(): Frame | undefined {
    const bytes = this.#length.readInt32BE(0);
    if (bytes < 0 || bytes > maxFrameBytes) return undefined;
    // Not from the pool: a frame is kept as long as any record in it.
    const frame = Buffer.allocUnsafeSlow(lengthBytes + bytes);
    frame.set(this.#length);
    return frame;
  }
}
