/** Kafka's socket.request.max.bytes: whoever sends more does not speak Kafka. */
const MAX_FRAME_BYTES = 104_857_600;
const SIZE_BYTES = 4;

/** Cuts a byte stream into frames: int32 size, then so many bytes. A frame is joined once, when it is complete. */
export class Frames {
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #neededBytes = SIZE_BYTES;

  /**
   * The frames that `chunk` completes, without their size.
   * @throws {RangeError} a size is negative or over 100 MiB
   */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes < this.#neededBytes) return [];
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const frames: Buffer[] = [];
    let at = 0;
    this.#neededBytes = SIZE_BYTES;
    while (bytes.length - at >= SIZE_BYTES) {
      const sizeBytes = bytes.readInt32BE(at);
      if (sizeBytes < 0 || sizeBytes > MAX_FRAME_BYTES) {
        throw new RangeError(`request of ${sizeBytes} bytes`);
      }
      this.#neededBytes = SIZE_BYTES + sizeBytes;
      if (bytes.length - at < this.#neededBytes) break;
      frames.push(bytes.subarray(at + SIZE_BYTES, at + this.#neededBytes));
      at += this.#neededBytes;
      this.#neededBytes = SIZE_BYTES;
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#bufferedBytes = bytes.length - at;
    return frames;
  }
}
