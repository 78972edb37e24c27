/** Seeded choices; the same seed gives the same sequence. */
export type Random = {
  /** In [0, 1). */
  fraction(): number;
  between(min: number, max: number): number;
  /** undefined of nothing. */
  pick<T>(items: readonly T[]): T | undefined;
};

/** Mulberry32 (T. Ettinger, 2017). */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    fraction,
    between: (min, max) => min + fraction() * (max - min),
    pick: (items) => items[Math.floor(fraction() * items.length)],
  };
}
