import { type Random, randomAt } from "./random.ts";

/** How records arrive. */
export const arrivalModels = ["uniform", "poisson", "mmpp"] as const;
export type ArrivalModel = (typeof arrivalModels)[number];

/** Milliseconds from each record to the next, without end. */
export type Gaps = () => number;

/** Rate of the busy state of an MMPP to that of the quiet one. */
const rateRatio = 5;
/** From either state to the other, at the end of each step: q12 = q21 = 0.5 per second. */
const switchProbability = 0.5;
const stepMs = 1_000;

/** Arrivals and contents are drawn apart: other models bring the same events. */
const arrivalsStream = -1;

/** The gaps of a seeded producer: whoever has its seed can draw its schedule again. As `arrivalGaps` otherwise. */
export function seededGaps(model: ArrivalModel, rate: number, seed: number): Gaps {
  return arrivalGaps(model, rate, randomAt(seed, arrivalsStream));
}

/**
 * - uniform: the same gap every time;
 * - poisson: exponential gaps;
 * - mmpp: a Markov-modulated Poisson process of two states, whose rate may change at each full second.
 *
 * @param rate records per second on average, above 0
 */
export function arrivalGaps(model: ArrivalModel, rate: number, random: Random): Gaps {
  const meanMs = 1_000 / rate;
  if (model === "uniform") return () => meanMs;
  if (model === "poisson") return () => exponential(meanMs, random);
  return modulatedGaps(meanMs, random);
}

/** Both states last equally long on average, so the mean rate is halfway between theirs. */
function modulatedGaps(meanMs: number, random: Random): Gaps {
  const quietMs = (meanMs * (1 + rateRatio)) / 2;
  const busyMs = quietMs / rateRatio;
  let stateMs = random() < 0.5 ? quietMs : busyMs;
  let restMs = stepMs;
  return () => {
    let passedMs = 0;
    let nextMs = exponential(stateMs, random);
    // Exponential gaps have no memory: what reaches into the next step is drawn again at its rate.
    while (nextMs >= restMs) {
      passedMs += restMs;
      restMs = stepMs;
      if (random() < switchProbability) stateMs = stateMs === quietMs ? busyMs : quietMs;
      nextMs = exponential(stateMs, random);
    }
    restMs -= nextMs;
    return passedMs + nextMs;
  };
}

function exponential(meanMs: number, random: Random): number {
  return -Math.log(1 - random()) * meanMs;
}
