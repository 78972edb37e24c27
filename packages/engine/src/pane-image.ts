import { contradiction } from "./byte-layout.ts";
import { GrowingBytes } from "./growing-bytes.ts";
import { paneChecksum } from "./state-delta.ts";

const keyBytes = 4;
const numberBytes = 8;

/** The columns of one pane in a state that deltas are applied to. */
export class PaneImage {
  readonly #keys = new GrowingBytes();
  readonly #cells = new GrowingBytes();

  get keys(): Uint8Array {
    return this.#keys.bytes;
  }

  get cells(): Uint8Array {
    return this.#cells.bytes;
  }

  /** Over all cells, as `aggregateDelta` writes it. */
  get checksum(): number {
    return paneChecksum(this.#cells.float64(), this.#stride);
  }

  /**
   * Cells at the end.
   * @throws {StreamError} CHECKPOINT_UNREADABLE where keys and cells do not go together
   */
  append(keys: Int32Array, cells: Float64Array): void {
    if (keys.length === 0 && cells.length === 0) return;
    const stride = cells.length / keys.length;
    const before = this.#keys.length === 0 ? stride : this.#stride;
    if (!Number.isInteger(stride) || stride === 0 || stride !== before)
      throw contradiction("cells and keys of a pane");
    this.#keys.append(keys);
    this.#cells.append(cells);
  }

  /**
   * Replaces the cells of `rows`.
   * @param known how many cells there must be
   * @throws {StreamError} CHECKPOINT_UNREADABLE where there are others
   */
  change(known: number, rows: Int32Array, changed: Float64Array): void {
    if (known * keyBytes !== this.#keys.length) throw contradiction("the cells of a pane's base");
    if (rows.length === 0 && changed.length === 0) return;
    const stride = this.#stride;
    if (changed.length !== rows.length * stride) throw contradiction("changed cells of a pane");
    const cells = this.#cells.float64();
    let at = 0;
    for (const row of rows) {
      if (row < 0 || row >= known) throw contradiction("a changed cell of a pane");
      for (let column = 0; column < stride; column++) {
        cells[row * stride + column] = changed[at++] ?? 0;
      }
    }
  }

  /** Numbers of a cell. */
  get #stride(): number {
    return this.#cells.length / numberBytes / (this.#keys.length / keyBytes);
  }
}
