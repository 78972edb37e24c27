/** How events arrive; of one producer. */
export const arrivalModels = ["uniform", "poisson", "mmpp"] as const;
export type ArrivalModel = (typeof arrivalModels)[number];

/** Milliseconds from each event to the next, without end. */
export type Gaps = () => number;

/** Of the busy state of an MMPP to the quiet one. */
const rateRatio = 5;
const switchProbability = 0.5;
const stepMs = 1_000;

/**
 * @param rate events per second on average, above 0
 * @param random uniform in [0, 1)
 */
export function arrivalGaps(model: ArrivalModel, rate: number, random: () => number): Gaps {
  const meanMs = 1_000 / rate;
  if (model === "uniform") return () => meanMs;
  if (model === "poisson") return () => exponential(meanMs, random);
  return mmppGaps(meanMs, random);
}

/**
 * A Markov-modulated Poisson process with two states: Poisson arrivals whose rate may change at each full second, with
 * q12 = q21 = 0.5, so that both states last equally long on average.
 */
function mmppGaps(meanMs: number, random: () => number): Gaps {
  const quietMs = (meanMs * (1 + rateRatio)) / 2;
  const gapMs = [quietMs, quietMs / rateRatio];
  let state = random() < 0.5 ? 0 : 1;
  let nowMs = 0;
  let stepEndMs = stepMs;
  return () => {
    const fromMs = nowMs;
    for (;;) {
      nowMs += exponential(gapMs[state] ?? meanMs, random);
      if (nowMs < stepEndMs) break;
      // Without memory: what is left of the gap is drawn again at the rate of the next step.
      nowMs = stepEndMs;
      stepEndMs += stepMs;
      if (random() < switchProbability) state = 1 - state;
    }
    const gap = nowMs - fromMs;
    // Kept small, or fractions of a millisecond are lost after some days.
    stepEndMs -= nowMs;
    nowMs = 0;
    return gap;
  };
}

function exponential(meanMs: number, random: () => number): number {
  return -Math.log(1 - random()) * meanMs;
}
