import { parseArgs } from "node:util";
import { type Codec, codecs } from "./codecs.ts";
import { codecNamed, count } from "./option-values.ts";

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
  /** A command that each client's process is started by; empty for none. */
  readonly under: readonly string[];
};

export const throughputUsage = `pnpm bench throughput [--events 5000000] [--ads 1000] [--partitions 4] [--codec ${codecs.join("|")}]
  [--seed 1] [--runs 1] [--processors 1] [--json] [--profile <folder>] [--under <command>]
--under 'systemd-run --scope --quiet -p CPUQuota=50%' holds each process to half a core`;

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
      under: { type: "string", default: "" },
    },
  });
  return {
    events: count("events", values.events),
    ads: count("ads", values.ads),
    partitions: count("partitions", values.partitions),
    codec: codecNamed(values.codec),
    seed: count("seed", values.seed),
    runs: count("runs", values.runs),
    processors: count("processors", values.processors),
    json: values.json,
    profile: values.profile,
    under: values.under.split(" ").filter((word) => word !== ""),
  };
}
