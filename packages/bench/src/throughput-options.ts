import { parseArgs } from "node:util";
import { type Codec, codecs } from "./codecs.ts";

export type ThroughputOptions = {
  readonly events: number;
  readonly ads: number;
  readonly partitions: number;
  readonly codec: Codec;
  readonly seed: number;
  /** Drains by each client; the table shows all and the median. */
  readonly runs: number;
  /** Drained by so many processors, too, which share the partitions. */
  readonly processors: number;
  readonly json: boolean;
  /** Folder for a CPU profile of each processor. */
  readonly profile: string | undefined;
};

export const throughputUsage = `pnpm bench throughput [--events 5000000] [--ads 1000] [--partitions 4] [--codec ${codecs.join("|")}]
  [--seed 1] [--runs 1] [--processors 1] [--json] [--profile <folder>]`;

/** @throws {RangeError} an option that cannot be */
export function throughputOptions(args: readonly string[]): ThroughputOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: "string", default: "5000000" },
      ads: { type: "string", default: "1000" },
      partitions: { type: "string", default: "4" },
      codec: { type: "string", default: "none" },
      seed: { type: "string", default: "1" },
      runs: { type: "string", default: "1" },
      processors: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  const codec = codecs.find((name) => name === values.codec);
  if (codec === undefined) throw new RangeError(`--codec must be one of ${codecs.join(", ")}`);
  return {
    events: count("events", values.events),
    ads: count("ads", values.ads),
    partitions: count("partitions", values.partitions),
    codec,
    seed: count("seed", values.seed),
    runs: count("runs", values.runs),
    processors: count("processors", values.processors),
    json: values.json,
    profile: values.profile,
  };
}

/** @throws {RangeError} unless the text is a whole number from 1 to 2^31 */
export function count(name: string, text: string): number {
  const value = Number(text.replaceAll("_", ""));
  if (Number.isInteger(value) && value >= 1 && value <= 2 ** 31) return value;
  throw new RangeError(`--${name} ${text} is not a whole number from 1 on`);
}
