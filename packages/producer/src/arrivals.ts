/** Milliseconds from each record to the next, without end. Other models of traffic are other iterators. */
export type Arrivals = Iterator<number, never>;

/** The same gap every time. @param rate records per second, above 0 */
export function uniformArrivals(rate: number): Arrivals {
  const gapMs = 1_000 / rate;
  return { next: () => ({ done: false, value: gapMs }) };
}
