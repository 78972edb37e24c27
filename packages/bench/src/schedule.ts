import { type ArrivalModel, seededGaps } from "@adstream/traffic/arrivals";

/** Events in each millisecond of a run, from its start. */
export type PerMs = Float64Array;

/** The schedule of a producer: the first event is due at its start, none at its end or later. */
export function dueEvents(
  { model, rate, seed }: { model: ArrivalModel; rate: number; seed: number },
  durationMs: number,
): PerMs {
  const gaps = seededGaps(model, rate, seed);
  const due = new Float64Array(durationMs);
  for (let atMs = 0; atMs < durationMs; atMs += gaps()) addEvents(due, Math.floor(atMs), 1);
  return due;
}

export function addEvents(to: PerMs, atMs: number, events: number): void {
  to[atMs] = (to[atMs] ?? 0) + events;
}

export type Deviation = {
  /** Of what was due: -0.01 where a hundredth of it is missing. Infinite where nothing was due, and something came. */
  readonly share: number;
  /** When that window begins, ms from the start. */
  readonly fromMs: number;
};

/**
 * The window in which what was sent differs most from what was due, of all windows of that length that begin at a full
 * millisecond, at `firstMs` or later, and end within the schedule.
 *
 * @param sent as long as `due` at least; what comes behind it was sent too late for every window
 * @throws {RangeError} when the schedule is shorter than a window
 */
export function worstDeviation(
  due: PerMs,
  sent: PerMs,
  windowMs: number,
  firstMs: number,
): Deviation {
  if (due.length < firstMs + windowMs) {
    throw new RangeError(`${due.length} ms hold no ${windowMs} ms from ${firstMs} on`);
  }
  let dueInWindow = 0;
  let sentInWindow = 0;
  let worst: Deviation = { share: 0, fromMs: firstMs };
  for (let atMs = firstMs; atMs < due.length; atMs++) {
    dueInWindow += due[atMs] ?? 0;
    sentInWindow += sent[atMs] ?? 0;
    const fromMs = atMs + 1 - windowMs;
    if (fromMs < firstMs) continue;
    const more = sentInWindow - dueInWindow;
    const share = more === 0 ? 0 : more / dueInWindow;
    if (Math.abs(share) > Math.abs(worst.share)) worst = { share, fromMs };
    dueInWindow -= due[fromMs] ?? 0;
    sentInWindow -= sent[fromMs] ?? 0;
  }
  return worst;
}

export type Delays = { readonly p50: number; readonly p99: number; readonly max: number };

/** How long after they were due events were sent, ms: the n-th of both is the same one. Those never sent do not count. */
export function sendingDelays(due: PerMs, sent: PerMs): Delays {
  const count = Math.min(total(due), total(sent));
  const delays = new Map<number, number>();
  const left = due.slice();
  let dueMs = 0;
  for (const [sentMs, events] of sent.entries()) {
    for (let rest = events; rest > 0 && dueMs < left.length;) {
      const taken = Math.min(rest, left[dueMs] ?? 0);
      const delayMs = sentMs - dueMs;
      if (taken > 0) delays.set(delayMs, (delays.get(delayMs) ?? 0) + taken);
      rest -= taken;
      addEvents(left, dueMs, -taken);
      if (left[dueMs] === 0) dueMs++;
    }
  }
  const ascending = [...delays].toSorted(([a], [b]) => a - b);
  const at = (share: number): number => {
    let passed = 0;
    return ascending.find(([, events]) => (passed += events) >= count * share)?.[0] ?? 0;
  };
  return { p50: at(0.5), p99: at(0.99), max: ascending.at(-1)?.[0] ?? 0 };
}

export function total(events: PerMs): number {
  return events.reduce((sum, one) => sum + one, 0);
}
