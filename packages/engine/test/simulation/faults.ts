import type { Random } from "./random.ts";

/** How much goes wrong in one run. Rates are probabilities per occasion; every seed has its own mix (swarm testing). */
export type FaultPlan = {
  /** Mean time between disturbances from outside, ms. */
  readonly chaosEveryMs: number;
  /** Weights of those disturbances. */
  readonly weights: Readonly<Record<Disturbance, number>>;
  /** A process dies at a request: before it arrives, or before its answer does. */
  readonly killAtCall: number;
  readonly storeFails: number;
  readonly storeAmbiguous: number;
  readonly storeSlow: number;
  /** A create is not answered in time and takes effect later, as requests in flight to a bucket may. */
  readonly storeLate: number;
  readonly fetchLost: number;
  /** A checkpoint that holds a decision breaks soon after its results are out. */
  readonly decisionsRot: number;
  readonly publishRepeats: number;
  readonly publishDeadline: number;
  readonly publishSlow: number;
  readonly describeFails: number;
  readonly documentFails: number;
  /** The flush before a rejoin is skipped, as in a crash of the session, or cut short. */
  readonly rejoinSkipped: number;
  readonly rejoinCut: number;
  /** Probability that a new version of the step function is rolled out during the run. */
  readonly upgrades: number;
};

/** What no process can go on from: an operator must decide. */
const replacements = ["retention overtakes", "recreate topic", "other cluster"] as const;

export const disturbances = [
  "kill processor",
  "kill sink",
  "freeze processor",
  "freeze sink",
  "rebalance",
  "stop processor",
  "store outage",
  "document outage",
  "bit rot",
  "move results",
  "retention",
  "grow topic",
  ...replacements,
] as const;
export type Disturbance = (typeof disturbances)[number];

/** Every kind of fault is absent, rare or frequent, independently of the others. */
export function swarm(random: Random): FaultPlan {
  if (random.chance(0.04)) return calm();
  const rate = (often: number): number => random.pick([0, 0, often / 5, often]);
  const weights = Object.fromEntries(disturbances.map((kind) => [kind, random.pick([0, 1, 1, 4])]));
  // Such a run ends early, so most go without.
  const replaced = random.chance(0.1) ? random.pick(replacements) : undefined;
  for (const kind of replacements) weights[kind] = kind === replaced ? 3 : 0;
  return {
    chaosEveryMs: random.pick([1_000, 3_000, 6_000, 15_000]),
    weights: { ...noWeights, ...weights },
    killAtCall: rate(0.004),
    storeFails: rate(0.15),
    storeAmbiguous: rate(0.15),
    storeSlow: rate(0.1),
    storeLate: rate(0.1),
    fetchLost: rate(0.1),
    decisionsRot: rate(0.2),
    publishRepeats: rate(0.2),
    publishDeadline: rate(0.005),
    publishSlow: rate(0.1),
    describeFails: rate(0.1),
    documentFails: rate(0.2),
    rejoinSkipped: rate(0.5),
    rejoinCut: rate(0.5),
    upgrades: 0.3,
  };
}

const noWeights: Record<Disturbance, number> = {
  "kill processor": 0,
  "kill sink": 0,
  "freeze processor": 0,
  "freeze sink": 0,
  rebalance: 0,
  "stop processor": 0,
  "store outage": 0,
  "document outage": 0,
  "bit rot": 0,
  "move results": 0,
  retention: 0,
  "grow topic": 0,
  "retention overtakes": 0,
  "recreate topic": 0,
  "other cluster": 0,
};

/** Members fall asleep, one after the other, and wake up in the middle of what others do; nothing else fails. */
export function sleepy(): FaultPlan {
  return { ...calm(), chaosEveryMs: 4_000, weights: { ...noWeights, "freeze processor": 1 } };
}

/** Nothing fails; members come and go in good order. */
export function calm(): FaultPlan {
  return {
    chaosEveryMs: 10_000,
    weights: { ...noWeights, rebalance: 1, "stop processor": 1 },
    killAtCall: 0,
    storeFails: 0,
    storeAmbiguous: 0,
    storeSlow: 0,
    storeLate: 0,
    fetchLost: 0,
    decisionsRot: 0,
    publishRepeats: 0,
    publishDeadline: 0,
    publishSlow: 0,
    describeFails: 0,
    documentFails: 0,
    rejoinSkipped: 0,
    rejoinCut: 0,
    upgrades: 0,
  };
}

/** The log changes under processes that come and go; nothing else fails. */
export function replaced(random: Random): FaultPlan {
  const change = random.pick(replacements);
  const weights = { ...noWeights, "kill processor": 1, "freeze processor": 1, [change]: 1 };
  return { ...calm(), chaosEveryMs: 4_000, weights };
}

/** Publishes take long, and whoever sends them is replaced meanwhile. */
export function sluggish(): FaultPlan {
  const weights = { ...noWeights, "freeze processor": 1, rebalance: 1, "kill processor": 1 };
  return { ...calm(), chaosEveryMs: 3_000, weights, publishSlow: 0.3, rejoinSkipped: 0.5 };
}

/** A new version is rolled out while members of the old one freeze, die and are replaced. */
export function upgrading(): FaultPlan {
  const weights = { ...noWeights, "freeze processor": 2, "kill processor": 1, rebalance: 1 };
  return { ...calm(), chaosEveryMs: 3_000, weights, upgrades: 1, rejoinSkipped: 0.3 };
}

/** Newest checkpoints break, and processes that read them die. */
export function rotting(): FaultPlan {
  const weights = { ...noWeights, "bit rot": 2, "kill processor": 2 };
  return { ...calm(), chaosEveryMs: 2_500, weights, decisionsRot: 0.5 };
}

/** Plans by the name that people and worker threads call them by. */
export const plans = {
  swarm,
  sleepy,
  calm,
  replaced,
  sluggish,
  rotting,
  upgrading,
} satisfies Record<string, (random: Random) => FaultPlan>;
export type PlanName = keyof typeof plans;
