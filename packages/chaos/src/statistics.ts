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

/** Change of y per x, and where it lies with 95 % confidence. */
export type Trend = { readonly slope: number; readonly low: number; readonly high: number };

/** Of the standard normal distribution: 95 % lie within it on both sides. */
const z95 = 1.96;

/**
 * Theil and Sen: the median of the slopes between all pairs of points, with the interval of Sen (1968). Up to 29 % of the
 * points may be anything. The interval takes the noise of one point to say nothing about the next; where it does, as with
 * memory that is collected less often than it is measured, the truth is outside more often than that.
 *
 * @returns undefined when the points do not span anything
 */
export function trend(points: readonly Point[]): Trend | undefined {
  const slopes = points
    .flatMap((a, index) => points.slice(index + 1).map((b) => (b.y - a.y) / (b.x - a.x)))
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b);
  const { length } = points;
  const apart = z95 * Math.sqrt((length * (length - 1) * (2 * length + 5)) / 18);
  const at = (rank: number): number | undefined =>
    slopes[Math.min(slopes.length - 1, Math.max(0, rank))];
  const low = at(Math.floor((slopes.length - apart) / 2));
  const high = at(Math.ceil((slopes.length + apart) / 2));
  const middle = (slopes.length - 1) / 2;
  const [below, above] = [at(Math.floor(middle)), at(Math.ceil(middle))];
  if (low === undefined || high === undefined) return undefined;
  return { slope: ((below ?? low) + (above ?? high)) / 2, low, high };
}

/** The lowest point of each stretch of `width`, counted from the first point. Points come in the order of x. */
export function floors(points: readonly Point[], width: number): Point[] {
  const begin = points[0]?.x ?? 0;
  const stretches = Map.groupBy(points, ({ x }) => Math.floor((x - begin) / width));
  return [...stretches.values()].map((stretch) =>
    stretch.reduce((lowest, point) => (point.y < lowest.y ? point : lowest)),
  );
}

/** Highest failure rate that no failure in `trials` leaves likely (95 %): the rule of three. */
export function failureRateBelow(trials: number): number {
  return Math.min(1, 3 / trials);
}
