/**
 * Kafka's wire types, big-endian. Classic versions prefix strings with int16 and arrays and bytes with int32;
 * flexible versions (KIP-482) prefix all of them with an unsigned varint of length + 1 and end every structure
 * with tagged fields. One reader serves both, so a handler lists its fields once; `tags()` reads nothing in
 * classic versions.
 */

/** Reads one request. Reading past the end throws a RangeError: the connection is then closed, as Kafka does. */
export class WireReader {
  readonly flexible: boolean;
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer, flexible: boolean, position = 0) {
    this.#bytes = bytes;
    this.flexible = flexible;
    this.#position = position;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  int8(): number {
    const value = this.#bytes.readInt8(this.#position);
    this.#position += 1;
    return value;
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#position);
    this.#position += 2;
    return value;
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#position);
    this.#position += 4;
    return value;
  }

  /** Offsets, timestamps and producer ids stay below 2^53. */
  int64(): number {
    const value = this.#bytes.readBigInt64BE(this.#position);
    this.#position += 8;
    return Number(value);
  }

  string(): string {
    return this.nullableString() ?? "";
  }

  nullableString(): string | null {
    const length = this.flexible ? this.#uvarint() - 1 : this.int16();
    return length < 0 ? null : this.#take(length).toString("utf8");
  }

  /** A view into the request: copy what is kept, or the whole request is. */
  bytes(): Buffer {
    return this.nullableBytes() ?? Buffer.alloc(0);
  }

  nullableBytes(): Buffer | null {
    const length = this.flexible ? this.#uvarint() - 1 : this.int32();
    return length < 0 ? null : this.#take(length);
  }

  array<T>(item: () => T): T[] {
    return this.nullableArray(item) ?? [];
  }

  nullableArray<T>(item: () => T): T[] | null {
    const length = this.flexible ? this.#uvarint() - 1 : this.int32();
    if (length < 0) return null;
    if (length > this.#bytes.length - this.#position) {
      throw new RangeError(`array of ${length} items in ${this.#bytes.length} bytes`);
    }
    return Array.from({ length }, item);
  }

  /** Skips the tagged fields of a structure: none of those that exist concern us. */
  tags(): void {
    if (!this.flexible) return;
    for (let left = this.#uvarint(); left > 0; left--) {
      this.#uvarint();
      this.#take(this.#uvarint());
    }
  }

  #uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#position);
      this.#position += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("unsigned varint longer than 5 bytes");
  }

  #take(length: number): Buffer {
    const end = this.#position + length;
    if (end > this.#bytes.length)
      throw new RangeError(`${length} bytes past the end of the request`);
    const slice = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return slice;
  }
}

const CHUNK_BYTES = 1024;

/** Collects one response as a list of buffers; record bytes are referenced, never copied. */
export class WireWriter {
  readonly flexible: boolean;
  readonly #done: Buffer[] = [];
  #doneBytes = 0;
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #position = 0;

  constructor(flexible: boolean) {
    this.flexible = flexible;
  }

  get sizeBytes(): number {
    return this.#doneBytes + this.#position;
  }

  int8(value: number): this {
    this.#position = this.#room(1).writeInt8(value, this.#position);
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int16(value: number): this {
    this.#position = this.#room(2).writeInt16BE(value, this.#position);
    return this;
  }

  int32(value: number): this {
    this.#position = this.#room(4).writeInt32BE(value, this.#position);
    return this;
  }

  int64(value: number): this {
    this.#position = this.#room(8).writeBigInt64BE(BigInt(value), this.#position);
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    if (this.flexible) this.#uvarint(length + 1);
    else this.int16(length);
    const chunk = this.#room(length); // First: it may begin a chunk, and "+=" reads the position before it.
    this.#position += chunk.write(value, this.#position);
    return this;
  }

  nullableString(value: string | null): this {
    if (value !== null) return this.string(value);
    return this.flexible ? this.#uvarint(0) : this.int16(-1);
  }

  bytes(value: Buffer): this {
    return this.records([value], value.length);
  }

  /** Bytes that lie in several pieces; they must not change until the response is sent. */
  records(pieces: readonly Buffer[], sizeBytes: number): this {
    if (this.flexible) this.#uvarint(sizeBytes + 1);
    else this.int32(sizeBytes);
    if (sizeBytes === 0) return this;
    this.#seal();
    this.#done.push(...pieces);
    this.#doneBytes += sizeBytes;
    return this;
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    if (this.flexible) this.#uvarint(items.length + 1);
    else this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  nullArray(): this {
    return this.flexible ? this.#uvarint(0) : this.int32(-1);
  }

  /** Ends a structure in flexible versions: no tagged fields. */
  tags(): this {
    return this.flexible ? this.#uvarint(0) : this;
  }

  /** The pieces, in order. */
  finish(): Buffer[] {
    this.#seal();
    return this.#done;
  }

  #uvarint(value: number): this {
    let left = value;
    for (; left >= 0x80; left = Math.floor(left / 128)) this.#byte((left % 128) | 0x80);
    return this.#byte(left);
  }

  #byte(value: number): this {
    this.#position = this.#room(1).writeUInt8(value, this.#position);
    return this;
  }

  #room(length: number): Buffer {
    if (this.#position + length > this.#chunk.length) {
      this.#seal();
      this.#chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, length));
    }
    return this.#chunk;
  }

  #seal(): void {
    if (this.#position === 0) return;
    this.#done.push(this.#chunk.subarray(0, this.#position));
    this.#doneBytes += this.#position;
    this.#chunk = this.#chunk.subarray(this.#position);
    this.#position = 0;
  }
}
