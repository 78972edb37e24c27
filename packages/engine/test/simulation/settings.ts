import type { JobIdentity } from "../../src/acquire.ts";
import type { RunOptions } from "../../src/run-options.ts";
import type { TrafficShape } from "./producer.ts";
import type { Random } from "./random.ts";

/** What differs from run to run besides the faults. */
export type Settings = {
  readonly job: JobIdentity;
  readonly beats: Pick<
    RunOptions,
    | "onlyFinal"
    | "emitIntervalMs"
    | "checkpointIntervalMs"
    | "deltaFromBytes"
    | "idleTimeoutMs"
    | "replayLimits"
  >;
  readonly traffic: TrafficShape;
  readonly partitions: number;
  readonly processors: number;
  readonly sinks: number;
  /** When the last record is written, and the last fault happens. */
  readonly busyMs: number;
  /** When the registry learns the strange schema. */
  readonly schemaKnownAtMs: number;
  /** How long a source waits for it before it asks for a decision. */
  readonly schemaPatienceMs: number;
};

/** How far event times may lie ahead of their records, in every run. */
export const maxFutureMs = 20_000;

export function randomSettings(random: Random): Settings {
  const sizeMs = random.pick([10_000, 20_000, 30_000]);
  const [watermarkDelayMs, allowedLatenessMs] = [
    random.pick([1_000, 5_000]),
    random.pick([0, 0, 7_000]),
  ];
  const leastHorizonMs = sizeMs + watermarkDelayMs + allowedLatenessMs;
  const horizonMs = leastHorizonMs * random.pick([1, 2]);
  const deduplicate = random.chance(0.4) ? { deduplicate: { horizonMs, maxIds: 10_000 } } : {};
  const idleTimeoutMs = random.pick([4_000, 8_000, 12_000, Number.POSITIVE_INFINITY]);
  const closes = Number.isFinite(idleTimeoutMs);
  return {
    job: {
      name: "job",
      topology: "simulated",
      startAt: async (info) => info.low,
      windowed: {
        window: { sizeMs, slideMs: random.pick([sizeMs, sizeMs / 2, (sizeMs * 3) / 10]) },
        watermarkDelayMs,
        allowedLatenessMs,
        maxFutureMs,
        sumCount: 3,
        ...deduplicate,
      },
    },
    beats: {
      onlyFinal: random.chance(0.15),
      emitIntervalMs: 1_000,
      checkpointIntervalMs: random.pick([2_000, 5_000]),
      // States are small here: either every one may be followed by deltas, or none is.
      deltaFromBytes: sizeMs === 20_000 ? Number.POSITIVE_INFINITY : 0,
      idleTimeoutMs,
      replayLimits: random.pick([
        { bytes: 2_000, ageMs: 60_000, logMs: 30_000 },
        { bytes: 1e6, ageMs: 8_000, logMs: 1e6 },
        { bytes: 1e6, ageMs: 1e6, logMs: 10_000 },
        { bytes: 1e9, ageMs: 1e9, logMs: Number.POSITIVE_INFINITY },
      ]),
    },
    traffic: {
      disorderMs: random.pick([500, 4_000]),
      lateMs: random.pick([15_000, 60_000]),
      futureMs: maxFutureMs,
      strangeRate: random.pick([0, 0, 0.03]),
      redelivered: random.pick([0, 0.1]),
    },
    partitions: random.between(1, 3),
    processors: random.between(1, 3),
    sinks: random.between(1, 2),
    busyMs: random.pick([60_000, 120_000]),
    schemaKnownAtMs: random.pick([0, 20_000, 60_000, Number.POSITIVE_INFINITY]),
    schemaPatienceMs: closes ? idleTimeoutMs : 4_000,
  };
}
