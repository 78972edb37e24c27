import type { CheckpointHeader } from "./checkpoint.ts";

/**
 * The epoch of an owner that does not simply go on from the checkpoint `base`, but falls back to it, or turns to another
 * step function there. Whoever did so before on top of the same checkpoint may have published under an epoch that is lost
 * with its own checkpoint. It had a claim of its own, though, with a lower number: so the distance in numbers is higher
 * than any epoch that was ever used behind `base`, while broken objects may be fewer than the owners they came from.
 *
 * @param seq number of the owner's claim
 */
export function epochAfter(
  { jobEpoch, seq: base }: Pick<CheckpointHeader, "jobEpoch" | "seq">,
  seq: number,
): number {
  return jobEpoch + seq - base;
}
