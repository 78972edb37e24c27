import { mulberry32 } from "@adstream/traffic/random";

/** Seeded choices; the same seed gives the same sequence. */
export type Random = {
  /** In [0, 1). */
  fraction(): number;
  between(min: number, max: number): number;
  /** undefined of nothing. */
  pick<T>(items: readonly T[]): T | undefined;
};

export function seededRandom(seed: number): Random {
  const { random: fraction } = mulberry32(seed);
  return {
    fraction,
    between: (min, max) => min + fraction() * (max - min),
    pick: (items) => items[Math.floor(fraction() * items.length)],
  };
}
