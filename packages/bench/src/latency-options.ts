import { parseArgs } from "node:util";
import { type ArrivalModel, arrivalModels } from "@adstream/traffic/arrivals";
import type { Codec } from "./codecs.ts";
import { codecNamed, count, duration } from "./option-values.ts";

export type LatencyOptions = {
  readonly model: ArrivalModel;
  readonly rate: number;
  readonly durationMs: number;
  readonly producers: number;
  readonly ads: number;
  readonly partitions: number;
  readonly codec: Codec;
  readonly seed: number;
  /** EMIT_INTERVAL of the processor; its default when absent. */
  readonly emitInterval: string | undefined;
  /** No early results. */
  readonly onlyFinal: boolean;
  /** Results go no further than the results topic. */
  readonly kafkaOnly: boolean;
  readonly json: boolean;
  /** Folder for a CPU profile of processor and sink. */
  readonly profile: string | undefined;
};

export const latencyUsage = `pnpm bench latency [--model ${arrivalModels.join("|")}] [--rate 20000] [--duration 60s] [--emit-interval 10ms | --only-final]
  [--kafka-only] [--ads 1000] [--producers 2] [--partitions 4] [--codec lz4] [--seed 1] [--json] [--profile <folder>]`;

/** One window warms up, the last two may not end, and of the middle there must be one. */
const leastDurationMs = 40_000;

/** @throws {RangeError} an option that cannot be */
export function latencyOptions(args: readonly string[]): LatencyOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string", default: "uniform" },
      rate: { type: "string", default: "20000" },
      duration: { type: "string", default: "60s" },
      "emit-interval": { type: "string" },
      "only-final": { type: "boolean", default: false },
      "kafka-only": { type: "boolean", default: false },
      ads: { type: "string", default: "1000" },
      producers: { type: "string", default: "2" },
      partitions: { type: "string", default: "4" },
      codec: { type: "string", default: "lz4" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  const model = arrivalModels.find((name) => name === values.model);
  if (model === undefined) throw new RangeError(`--model is one of ${arrivalModels.join(", ")}`);
  return {
    model,
    codec: codecNamed(values.codec),
    rate: count("rate", values.rate),
    durationMs: duration("duration", values.duration, leastDurationMs),
    producers: count("producers", values.producers),
    ads: count("ads", values.ads),
    partitions: count("partitions", values.partitions),
    seed: count("seed", values.seed),
    emitInterval: values["emit-interval"],
    onlyFinal: values["only-final"],
    kafkaOnly: values["kafka-only"],
    json: values.json,
    profile: values.profile,
  };
}
