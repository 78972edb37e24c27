export type Quantiles = {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
};

/** By nearest rank, so each figure is one that was measured. undefined of nothing. */
export function quantiles(values: readonly number[]): Quantiles | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const max = sorted.at(-1);
  if (max === undefined) return undefined;
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? max;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max };
}

export type Point = { readonly x: number; readonly y: number };

/** Least squares; undefined when the points do not span anything. */
export function slope(points: readonly Point[]): number | undefined {
  const mean = (read: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + read(point), 0) / points.length;
  const meanX = mean(({ x }) => x);
  const meanY = mean(({ y }) => y);
  let above = 0;
  let below = 0;
  for (const { x, y } of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below > 0 ? above / below : undefined;
}

/** Highest failure rate that no failure in `trials` leaves likely (95 %): the rule of three. */
export function failureRateBelow(trials: number): number {
  return Math.min(1, 3 / trials);
}
