import { adName, type EventChunk } from "./ad-events.ts";

/** One (ad, window), as anybody counts it. */
export type WindowSums = { count: number; clicks: number; views: number; cost: number };

export type OracleWindow = { readonly sizeMs: number; readonly slideMs: number };

/** The processor's default window. */
export const defaultWindow: OracleWindow = { sizeMs: 60_000, slideMs: 30_000 };
/** Costs are sums of doubles, in another order here than there. */
const costTolerance = 1e-9;

/**
 * Counts events the naive way, apart from all code under test: every event into each of its windows, costs in whole
 * cents.
 */
export class Oracle {
  /** Window start / slide * ads + ad -> sums; costs in cents. */
  readonly #sums = new Map<number, WindowSums>();
  readonly #ads: number;
  readonly #window: OracleWindow;

  constructor(ads: number, window = defaultWindow) {
    this.#ads = ads;
    this.#window = window;
  }

  count({ count, ad, time, clicks, views, cents }: EventChunk): void {
    const { sizeMs, slideMs } = this.#window;
    for (let row = 0; row < count; row++) {
      const newest = Math.floor((time[row] ?? 0) / slideMs);
      for (let slide = newest; (slide + sizeMs / slideMs) * slideMs > (time[row] ?? 0); slide--) {
        const sums = this.#at(slide * this.#ads + (ad[row] ?? 0));
        sums.count++;
        sums.clicks += clicks[row] ?? 0;
        sums.views += views[row] ?? 0;
        sums.cost += cents[row] ?? 0;
      }
    }
  }

  /** `<window start, epoch ms>/<ad id>` -> sums. */
  rows(): Map<string, WindowSums> {
    const rows = new Map<string, WindowSums>();
    for (const [key, sums] of this.#sums) {
      const ad = key % this.#ads;
      const startMs = ((key - ad) / this.#ads) * this.#window.slideMs;
      rows.set(rowKey(startMs, adName(ad)), { ...sums, cost: sums.cost / 100 });
    }
    return rows;
  }

  #at(key: number): WindowSums {
    let sums = this.#sums.get(key);
    if (sums === undefined) {
      sums = { count: 0, clicks: 0, views: 0, cost: 0 };
      this.#sums.set(key, sums);
    }
    return sums;
  }
}

export function rowKey(startMs: number, adId: string): string {
  return `${startMs}/${adId}`;
}

/** How many rows are as they must be. */
export type Verdict = { right: number; wrong: number; missing: number; extra: number };

/** Holds rows against the oracle's. */
export function compareRows(
  expected: ReadonlyMap<string, WindowSums>,
  found: ReadonlyMap<string, WindowSums>,
): Verdict {
  const verdict: Verdict = { right: 0, wrong: 0, missing: 0, extra: 0 };
  for (const [key, sums] of expected) {
    const row = found.get(key);
    if (row === undefined) verdict.missing++;
    else if (equalSums(sums, row)) verdict.right++;
    else verdict.wrong++;
  }
  for (const key of found.keys()) if (!expected.has(key)) verdict.extra++;
  return verdict;
}

export function isRight({ right, wrong, missing, extra }: Verdict): boolean {
  return right > 0 && wrong + missing + extra === 0;
}

function equalSums(a: WindowSums, b: WindowSums): boolean {
  return (
    a.count === b.count &&
    a.clicks === b.clicks &&
    a.views === b.views &&
    Math.abs(a.cost - b.cost) <= costTolerance * Math.abs(a.cost)
  );
}
