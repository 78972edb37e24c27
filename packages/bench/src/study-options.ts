import { parseArgs } from "node:util";
import { type ArrivalModel, arrivalModels } from "@adstream/traffic/arrivals";
import { count, duration } from "./option-values.ts";

export const studyFormats = ["json", "avro"] as const;
export type StudyFormat = (typeof studyFormats)[number];

export type StudyOptions = {
  /** One run each. */
  readonly models: readonly ArrivalModel[];
  /** Of each producer, events per second. */
  readonly rate: number;
  readonly producers: number;
  readonly durationMs: number;
  readonly format: StudyFormat;
  readonly partitions: number;
  readonly seed: number;
  /** WATERMARK_DELAY of the processor: how long a window waits for events out of order. */
  readonly delayMs: number;
  /** EMIT_INTERVAL of the processor; its default when absent. */
  readonly emitInterval: string | undefined;
  /** No early results. */
  readonly onlyFinal: boolean;
  readonly json: boolean;
  /** Where the distributions are drawn. */
  readonly svg: string | undefined;
};

export const studyUsage = `pnpm bench study [--model ${arrivalModels.join("|")}|all] [--rate 20000] [--producers 2] [--duration 60s] [--format ${studyFormats.join("|")}]
  [--delay 1s] [--emit-interval 100ms | --only-final] [--partitions 4] [--seed 1] [--json] [--svg <file>]`;

/** @throws {RangeError} an option that cannot be */
export function studyOptions(args: readonly string[]): StudyOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string", default: "uniform" },
      rate: { type: "string", default: "20000" },
      producers: { type: "string", default: "2" },
      duration: { type: "string", default: "60s" },
      format: { type: "string", default: "json" },
      partitions: { type: "string", default: "4" },
      seed: { type: "string", default: "1" },
      delay: { type: "string", default: "1s" },
      "emit-interval": { type: "string" },
      "only-final": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      svg: { type: "string" },
    },
  });
  const models = arrivalModels.filter((name) => [name, "all"].includes(values.model));
  if (models.length === 0)
    throw new RangeError(`--model is one of ${arrivalModels.join(", ")}, all`);
  const format = studyFormats.find((name) => name === values.format);
  if (format === undefined) throw new RangeError(`--format is one of ${studyFormats.join(", ")}`);
  return {
    models,
    format,
    rate: count("rate", values.rate),
    producers: count("producers", values.producers),
    durationMs: duration("duration", values.duration),
    partitions: count("partitions", values.partitions),
    seed: count("seed", values.seed),
    delayMs: duration("delay", values.delay),
    emitInterval: values["emit-interval"],
    onlyFinal: values["only-final"],
    json: values.json,
    svg: values.svg,
  };
}
