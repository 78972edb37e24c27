import { ColumnReader, contradiction, packColumns } from "./byte-layout.ts";
import { GrowingBytes } from "./growing-bytes.ts";
import { PaneImage } from "./pane-image.ts";
import type { EpochMs } from "./window.ts";

const endBytes = 4;

/**
 * The bytes of a state, taken apart so that deltas can be applied to it: `StateImage.of(base)`, then every delta in order,
 * then `pack` gives the very bytes that a whole snapshot would have had. What a state means is for `Task.restore` to judge.
 */
export class StateImage {
  /** Columns in front of the keys and watermarks, which every delta replaces. */
  #head: readonly Float64Array[] = [];
  #watermark: readonly number[] = [];
  readonly #ends = new GrowingBytes();
  readonly #keys = new GrowingBytes();
  #closed: Float64Array = new Float64Array(0);
  #panes = new Map<EpochMs, PaneImage>();
  readonly #idTimes = new GrowingBytes();
  readonly #idLengths = new GrowingBytes();
  readonly #ids = new GrowingBytes();
  /** Event ids of an earlier time are forgotten. */
  #idsFrom = Number.NEGATIVE_INFINITY;

  /** @throws {StreamError} CHECKPOINT_UNREADABLE when the bytes are no state of this code's version */
  static of(state: Uint8Array): StateImage {
    const image = new StateImage();
    const reader = new ColumnReader(state);
    image.#head = [reader.float64(), reader.float64(), reader.float64()];
    const [highest = 0, decided = 0, paneCount = 0] = reader.scalars(3);
    image.#watermark = [highest, decided];
    image.#ends.append(reader.int32());
    image.#keys.append(reader.uint8());
    image.#closed = reader.float64();
    for (let index = 0; index < paneCount; index++) {
      const [start = 0] = reader.scalars(1);
      const pane = new PaneImage();
      pane.append(reader.int32(), reader.float64());
      image.#panes.set(start, pane);
    }
    if (image.#panes.size !== paneCount) throw contradiction("the number of panes");
    image.#appendIds(reader);
    reader.end();
    return image;
  }

  /** @throws {StreamError} CHECKPOINT_UNREADABLE for bytes that are no delta of this very state; it is not to be used after it */
  apply(delta: Uint8Array): void {
    const reader = new ColumnReader(delta);
    const [before] = this.#head;
    this.#head = [reader.float64(), reader.float64(), reader.float64()];
    const [highest = 0, decided = 0, paneCount = 0, nextOffset, knownKeys = 0] = reader.scalars(5);
    this.#watermark = [highest, decided];
    if (nextOffset !== before?.[0]) throw contradiction("the offset of its base");
    if (knownKeys * endBytes !== this.#ends.length) throw contradiction("the keys of its base");
    this.#ends.append(reader.int32());
    this.#keys.append(reader.uint8());
    this.#closed = reader.float64();
    const panes = new Map<EpochMs, PaneImage>();
    for (let index = 0; index < paneCount; index++) {
      const [start = 0, known = 0, checksum = 0] = reader.scalars(3);
      const pane = this.#panes.get(start) ?? new PaneImage();
      pane.change(known, reader.int32(), reader.float64());
      pane.append(reader.int32(), reader.float64());
      if (pane.checksum !== checksum) throw contradiction("a pane and its delta");
      panes.set(start, pane);
    }
    if (panes.size !== paneCount) throw contradiction("the number of panes");
    this.#panes = panes;
    const [idsFrom = 0] = reader.scalars(1);
    this.#idsFrom = idsFrom;
    this.#appendIds(reader);
    reader.end();
  }

  /** The state as a whole snapshot holds it. */
  pack(): Uint8Array {
    const panes = [...this.#panes].flatMap(([start, { keys, cells }]) => [
      Float64Array.of(start),
      keys,
      cells,
    ]);
    return packColumns([
      ...this.#head,
      Float64Array.of(...this.#watermark, this.#panes.size),
      this.#ends.bytes,
      this.#keys.bytes,
      this.#closed,
      ...panes,
      ...this.#idColumns(),
    ]);
  }

  #appendIds(reader: ColumnReader): void {
    this.#idTimes.append(reader.float64());
    this.#idLengths.append(reader.uint8());
    this.#ids.append(reader.uint8());
  }

  /** Those that are not forgotten. */
  #idColumns(): Uint8Array[] {
    const times = this.#idTimes.float64();
    const lengths = this.#idLengths.bytes;
    const bytes = this.#ids.bytes;
    if (lengths.length !== times.length) throw contradiction("the number of event ids");
    const kept = [new GrowingBytes(), new GrowingBytes(), new GrowingBytes()] as const;
    let start = 0;
    for (const [index, time] of times.entries()) {
      const end = start + (lengths[index] ?? 0) + 1;
      if (time >= this.#idsFrom) {
        kept[0].append(times.subarray(index, index + 1));
        kept[1].append(lengths.subarray(index, index + 1));
        kept[2].append(bytes.subarray(start, end));
      }
      start = end;
    }
    if (start !== bytes.length) throw contradiction("the bytes of event ids");
    return kept.map(({ bytes: column }) => column);
  }
}
