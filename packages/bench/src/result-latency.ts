import type { ResultRecord } from "./read-results.ts";
import type { WindowTimes } from "./window-times.ts";

/** Milliseconds; the log's times are whole ones. */
export type Spread = {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
};

/** How long results took, over every measured (ad, window) or event. */
export type ResultLatency = {
  /** From when the event was due that closes the window in its partition, to the final result. */
  readonly closedToFinal: Spread;
  /** From when the last event of the window was due, to the final result: the peers' "close". */
  readonly lastEventToFinal: Spread;
  /** From when an event was due to the first result that counts it. */
  readonly eventToFirst: Spread;
  readonly perWindow: readonly { readonly startMs: number; readonly lastFinal: Spread }[];
  /** Events of measured windows in no result. */
  readonly uncounted: number;
};

/** @param results `rowKey` -> its records, in the order of their versions */
export function resultLatency(
  { measured, dueMs, lastDueMs, closedMs, partitionOf }: Omit<WindowTimes, "events" | "expected">,
  results: ReadonlyMap<string, readonly ResultRecord[]>,
): ResultLatency {
  const counted = new Set(measured);
  const closed: number[] = [];
  const last = new Map<number, number[]>(measured.map((startMs) => [startMs, []]));
  const first: number[] = [];
  let uncounted = 0;
  for (const [key, dues] of dueMs) {
    const startMs = Number(key.slice(0, key.indexOf("/")));
    if (!counted.has(startMs)) continue;
    const found = results.get(key) ?? [];
    const final = found.find(({ status }) => status === "final");
    if (final !== undefined) {
      closed.push(final.at - (closedMs.get(startMs)?.get(partitionOf(key)) ?? 0));
      last.get(startMs)?.push(final.at - (lastDueMs.get(startMs) ?? 0));
    }
    let at = 0;
    for (const [index, due] of dues.entries()) {
      while (at < found.length && (found[at]?.count ?? 0) <= index) at++;
      const result = found[at];
      if (result === undefined) uncounted++;
      else first.push(result.at - due);
    }
  }
  return {
    closedToFinal: spread(closed),
    lastEventToFinal: spread([...last.values()].flat()),
    eventToFirst: spread(first),
    perWindow: [...last].map(([startMs, times]) => ({ startMs, lastFinal: spread(times) })),
    uncounted,
  };
}

export function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (percent: number): number =>
    sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? 0;
  const sum = sorted.reduce((total, value) => total + value, 0);
  const mean = sorted.length === 0 ? 0 : sum / sorted.length;
  return { count: sorted.length, mean, p50: at(50), p90: at(90), p99: at(99), max: at(100) };
}
