/** Uniform numbers in [0, 1). */
export type Random = () => number;

/**
 * Random numbers for one index of a seeded sequence: a function of (seed, index) alone, however many numbers earlier
 * indexes drew. Mulberry32, its state set by MurmurHash3's finalizer so that neighbours differ.
 *
 * @param seed an unsigned 32-bit integer
 * @param index 0 to 2^53
 */
export function randomAt(seed: number, index: number): Random {
  const { random, seek } = seekableRandom(seed);
  seek(index);
  return random;
}

/** As `randomAt`, of one index after the other: nothing is made for an index. */
export type SeekableRandom = {
  /** Of the index sought last; 0 before. */
  readonly random: Random;
  readonly seek: (index: number) => void;
};

/** @param seed as for `randomAt` */
export function seekableRandom(seed: number): SeekableRandom {
  const seeded = finalize(seed ^ 0x9e3779b9);
  const { random, restart } = mulberry32(0);
  const seek = (index: number): void => {
    const high = Math.floor(index / 2 ** 32);
    restart(finalize(finalize(seeded ^ high) ^ (index >>> 0)));
  };
  seek(0);
  return { random, seek };
}

/** Mulberry32 (T. Ettinger, 2017). @param start of its state: as an int32 all there is to say about what follows */
export function mulberry32(start: number): {
  readonly random: Random;
  readonly restart: (state: number) => void;
} {
  let state = start | 0;
  return {
    restart(next) {
      state = next | 0;
    },
    random() {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

function finalize(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
