import { parseArgs } from "node:util";
import type { Codec } from "./codecs.ts";
import { codecNamed, count, duration } from "./option-values.ts";

export type EmissionOptions = {
  /** Events per second. */
  readonly rate: number;
  readonly ads: number;
  readonly durationMs: number;
  /** EMIT_INTERVAL of the processor: how often what changed becomes results. */
  readonly emitInterval: string;
  readonly partitions: number;
  readonly codec: Codec;
  readonly seed: number;
  /** The sink starts when the processor is done, on all of its results: what each does with two cores to itself. */
  readonly apart: boolean;
  readonly json: boolean;
  /** Folder for a CPU profile of processor and sink. */
  readonly profile: string | undefined;
};

export const emissionUsage = `pnpm bench emission [--rate 250000] [--ads 5000] [--duration 30s] [--emit-interval 20ms] [--partitions 4]
  [--codec none] [--seed 1] [--apart] [--json] [--profile <folder>]`;

const leastDurationMs = 20_000;

/** @throws {RangeError} an option that cannot be */
export function emissionOptions(args: readonly string[]): EmissionOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rate: { type: "string", default: "250000" },
      ads: { type: "string", default: "5000" },
      duration: { type: "string", default: "30s" },
      "emit-interval": { type: "string", default: "20ms" },
      partitions: { type: "string", default: "4" },
      codec: { type: "string", default: "none" },
      seed: { type: "string", default: "1" },
      apart: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  return {
    codec: codecNamed(values.codec),
    durationMs: duration("duration", values.duration, leastDurationMs),
    rate: count("rate", values.rate),
    ads: count("ads", values.ads),
    emitInterval: values["emit-interval"],
    partitions: count("partitions", values.partitions),
    seed: count("seed", values.seed),
    apart: values.apart,
    json: values.json,
    profile: values.profile,
  };
}
