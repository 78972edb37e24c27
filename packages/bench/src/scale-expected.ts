import type { ResultColumns } from "@adstream/engine/results";
import { resultKey } from "@adstream/engine/results";
import type { Verdict } from "./oracle.ts";

/** What each ad must have in each of a few panes, counted apart from the engine. */
export class Expected {
  readonly #panes: number;
  readonly #ads: number;
  readonly #events: Int32Array;
  readonly #clicks: Int32Array;
  #rows = 0;
  #wrong = 0;

  constructor(ads: number, panes: number) {
    this.#panes = panes;
    this.#ads = ads;
    // Written to, so that its memory is there before anything is measured.
    this.#events = new Int32Array(panes * ads).fill(1).fill(0);
    this.#clicks = new Int32Array(panes * ads).fill(1).fill(0);
  }

  count(ad: number, pane: number, clicks: number): void {
    const at = pane * this.#ads + ad;
    this.#events[at] = (this.#events[at] ?? 0) + 1;
    this.#clicks[at] = (this.#clicks[at] ?? 0) + clicks;
  }

  /** Holds final results of windows of two panes against it, the first pane beginning at `startMs`. */
  compare(results: ResultColumns, startMs: number, paneMs: number): void {
    for (let row = 0; row < results.count; row++) {
      const ad = Number(Buffer.from(resultKey(results, row)).toString("latin1").slice(3));
      const first = ((results.windowStart[row] ?? 0) - startMs) / paneMs;
      let [events, clicks] = [0, 0];
      for (const pane of [first, first + 1]) {
        if (pane < 0 || pane >= this.#panes) continue;
        events += this.#events[pane * this.#ads + ad] ?? 0;
        clicks += this.#clicks[pane * this.#ads + ad] ?? 0;
      }
      if (events !== results.records[row] || clicks !== results.sums[0]?.[row]) this.#wrong++;
    }
    this.#rows += results.count;
  }

  /** Once every window was compared: a row for each ad and window that holds an event of it. */
  verdict(): Verdict {
    let wanted = 0;
    const has = (ad: number, pane: number): boolean =>
      pane >= 0 && pane < this.#panes && (this.#events[pane * this.#ads + ad] ?? 0) > 0;
    for (let ad = 0; ad < this.#ads; ad++) {
      for (let pane = -1; pane < this.#panes; pane++) {
        if (has(ad, pane) || has(ad, pane + 1)) wanted++;
      }
    }
    return {
      right: this.#rows - this.#wrong,
      wrong: this.#wrong,
      missing: Math.max(0, wanted - this.#rows),
      extra: Math.max(0, this.#rows - wanted),
    };
  }
}
