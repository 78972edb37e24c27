import { channel } from "node:diagnostics_channel";

/**
 * Points between the steps of the protocol, announced in the order they are reached. A test stops the process there; without
 * a subscriber a call costs nothing. Every step must be repeatable from each of them.
 */
export const milestones = {
  /** The task is ours and nothing of it is restored. */
  claimed: channel("adstream:processor:claimed"),
  /** A batch is in the state and nowhere else. */
  applied: channel("adstream:processor:applied"),
  /** The log has results that no checkpoint stands behind. */
  acknowledged: channel("adstream:processor:acknowledged"),
  /** The checkpoint is in the store, its offset is not committed. */
  checkpointed: channel("adstream:processor:checkpointed"),
} as const;
