import { parseArgs } from "node:util";
import { type Codec, codecs } from "./codecs.ts";
import { type PeerName, peerNames } from "./peers.ts";
import { codecNamed, count } from "./option-values.ts";

export type CompareOptions = {
  /** Of those, whoever is installed. */
  readonly only: readonly PeerName[];
  readonly events: number;
  readonly codec: Codec;
  readonly runs: number;
  /** A backlog is drained by so many of our processors, too. */
  readonly processors: number;
  /** Steady load instead of a backlog. */
  readonly latency: boolean;
  readonly rate: number;
  readonly seconds: number;
  /** Results of a window once, when it closes, or with each update as soon as the engine can. */
  readonly emit: "close" | "update";
  readonly json: boolean;
};

export const compareUsage = `pnpm bench compare [--only ${peerNames.join(",")}] [--codec ${codecs.join("|")}] [--json]
  [--events 5000000] [--runs 1] [--processors 1]      a backlog
  --latency [--rate 20000] [--seconds 60] [--update]  a steady load`;

/** The others have results of closed windows alone. */
const updating: readonly PeerName[] = ["kafka-streams", "spark"];

/** @throws {RangeError} an option that cannot be */
export function compareOptions(args: readonly string[]): CompareOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      events: { type: "string", default: "5000000" },
      codec: { type: "string" },
      runs: { type: "string", default: "1" },
      processors: { type: "string", default: "1" },
      latency: { type: "boolean", default: false },
      rate: { type: "string", default: "20000" },
      seconds: { type: "string", default: "60" },
      update: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const named = values.codec ?? (values.latency ? "lz4" : "none");
  if (values.update && !values.latency) throw new RangeError("--update is of --latency");
  const able = values.update ? updating : peerNames;
  return {
    only: values.only?.split(",").map((name) => peerName(name, able)) ?? able,
    events: count("events", values.events),
    codec: codecNamed(named),
    runs: count("runs", values.runs),
    processors: count("processors", values.processors),
    latency: values.latency,
    rate: count("rate", values.rate),
    seconds: count("seconds", values.seconds),
    emit: values.update ? "update" : "close",
    json: values.json,
  };
}

function peerName(text: string, able: readonly PeerName[]): PeerName {
  const found = able.find((name) => name === text);
  if (found !== undefined) return found;
  throw new RangeError(`--only ${text}: there are ${able.join(", ")}`);
}
