import type { ServiceName } from "../service-process.ts";

/** Where a process can be stopped: at an announcement of the service, or at a request on its way to a server. */
export type CrashPoint = {
  readonly service: ServiceName;
  /** Protocol 2.5: what has happened. */
  readonly name: string;
  readonly at:
    | { readonly channel: string }
    /** "whole": the server has all of it and its answer is not read; "half": it can never use what it got. */
    | { readonly request: "produce" | "update"; readonly sent: "whole" | "half" };
  /** How often a process with four partitions surely gets there within seconds. */
  readonly hits: number;
};

/** The crash points of protocol 2.5 and 5.1: 3 of the producer, 6 of the processor, 3 of the sink. */
export const crashPoints: readonly CrashPoint[] = [
  announced("producer", "generated", 8),
  { ...announced("producer", "sent", 8), at: { request: "produce", sent: "whole" } },
  announced("producer", "acknowledged", 8),
  announced("processor", "claimed", 4),
  announced("processor", "applied", 12),
  { ...announced("processor", "sent", 12), at: { request: "produce", sent: "whole" } },
  announced("processor", "acknowledged", 12),
  // Two of the probe at the start, then claims, then checkpoints.
  announced("processor", "temporary-written", 30),
  announced("processor", "checkpointed", 16),
  { ...announced("sink", "sent", 8), at: { request: "update", sent: "half" } },
  announced("sink", "written", 8),
  announced("sink", "committed", 3),
];

function announced(service: ServiceName, name: string, hits: number): CrashPoint {
  return { service, name, at: { channel: `adstream:${service}:${name}` }, hits };
}

/** @throws {Error} when there is no such point */
export function crashPoint(service: string, name: string): CrashPoint {
  const found = crashPoints.find((point) => point.service === service && point.name === name);
  if (found === undefined) throw new Error(`${service} has no crash point ${name}`);
  return found;
}
