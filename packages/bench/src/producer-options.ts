import { parseArgs } from "node:util";
import { type ArrivalModel, arrivalModels } from "@adstream/traffic/arrivals";
import { count, duration } from "./option-values.ts";

export type ProducerOptions = {
  /** One run each. */
  readonly models: readonly ArrivalModel[];
  /** Events per second on average. */
  readonly rate: number;
  readonly durationMs: number;
  readonly ads: number;
  readonly partitions: number;
  readonly seed: number;
  readonly json: boolean;
  /** Folder for a CPU profile. */
  readonly profile: string | undefined;
};

/** A set rate is held when what was sent in any window of that length is within 1 % of what was due. */
export const heldWindowMs = 10_000;

/** A start takes that long; windows that begin in it are shown, too. */
export const settledMs = 2_000;

export const producerUsage = `pnpm bench producer [--rate 20000] [--model ${arrivalModels.join("|")}|all] [--duration 30s] [--ads 1000] [--partitions 4] [--seed 1] [--json] [--profile <folder>]`;

/** @throws {RangeError} an option that cannot be */
export function producerOptions(args: readonly string[]): ProducerOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string", default: "all" },
      rate: { type: "string", default: "20000" },
      duration: { type: "string", default: "30s" },
      ads: { type: "string", default: "1000" },
      partitions: { type: "string", default: "4" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  const models = arrivalModels.filter((name) => [name, "all"].includes(values.model));
  if (models.length === 0)
    throw new RangeError(`--model is one of ${arrivalModels.join(", ")}, all`);
  return {
    models,
    rate: count("rate", values.rate),
    durationMs: duration("duration", values.duration, settledMs + heldWindowMs),
    ads: count("ads", values.ads),
    partitions: count("partitions", values.partitions),
    seed: count("seed", values.seed),
    json: values.json,
    profile: values.profile,
  };
}
