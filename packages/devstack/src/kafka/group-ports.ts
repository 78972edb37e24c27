import type { BrokerClock } from "./clock.ts";

export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";

/** What all groups of a broker share. */
export type GroupPorts = {
  readonly clock: BrokerClock;
  /** A new member id that nobody has had before. */
  readonly nextMemberId: (clientId: string) => string;
  /** How long the first member of an empty group waits for others, so that those who start together divide once. */
  readonly initialRebalanceDelayMs: number;
};
