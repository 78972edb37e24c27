import type { JobIdentity } from "../../src/acquire.ts";
import type { RunOptions } from "../../src/run-options.ts";
import type { TrafficShape } from "./producer.ts";
import type { Random } from "./random.ts";

/** What differs from run to run besides the faults. */
export type Settings = {
  readonly job: JobIdentity;
  readonly beats: Pick<
    RunOptions,
    "onlyFinal" | "emitIntervalMs" | "checkpointIntervalMs" | "idleTimeoutMs"
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

export function randomSettings(random: Random): Settings {
  const sizeMs = random.pick([10_000, 20_000, 30_000]);
  const maxFutureMs = 20_000;
  const idleTimeoutMs = random.pick([4_000, 8_000, 12_000, Number.POSITIVE_INFINITY]);
  // A zombie is held back by the idle timeout: schema decisions must be no quicker, or never be contradicted.
  const closes = Number.isFinite(idleTimeoutMs);
  return {
    job: {
      name: "job",
      topology: "simulated",
      startAt: async (info) => info.low,
      windowed: {
        window: { sizeMs, slideMs: random.pick([sizeMs, sizeMs / 2, (sizeMs * 3) / 10]) },
        watermarkDelayMs: random.pick([1_000, 5_000]),
        allowedLatenessMs: random.pick([0, 0, 7_000]),
        maxFutureMs,
        sumCount: 3,
      },
    },
    beats: {
      onlyFinal: random.chance(0.15),
      emitIntervalMs: 1_000,
      checkpointIntervalMs: random.pick([2_000, 5_000]),
      idleTimeoutMs,
    },
    traffic: {
      disorderMs: random.pick([500, 4_000]),
      lateMs: random.pick([15_000, 60_000]),
      futureMs: maxFutureMs,
      strangeRate: random.pick([0, 0, 0.03]),
    },
    partitions: random.between(1, 3),
    processors: random.between(1, 3),
    sinks: random.between(1, 2),
    busyMs: random.pick([60_000, 120_000]),
    schemaKnownAtMs: random.pick([
      0,
      ...(closes ? [20_000, 60_000] : []),
      Number.POSITIVE_INFINITY,
    ]),
    schemaPatienceMs: closes ? idleTimeoutMs : 4_000,
  };
}
