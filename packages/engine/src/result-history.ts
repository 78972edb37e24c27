/** One slot as the results topic has it. */
export type PublishedSlot = {
  readonly key: Uint8Array;
  /** Epoch ms. */
  readonly windowStart: number;
  readonly windowEnd: number;
};

/**
 * What was published before, read back from the results topic. Asked only when the step function changed, or state was
 * lost or broke, so it may read the whole topic.
 *
 * Results acknowledged before a call are seen by it; later ones may be.
 */
export interface ResultHistory {
  /**
   * Slots of `partition` that have a result logged at or after `sinceMs` (wall time), of an epoch below `epoch` and with
   * w above `above`; each once. `complete` is false when retention may have removed some.
   */
  published(
    partition: number,
    wanted: { readonly sinceMs: number; readonly belowEpoch: number; readonly above: number },
  ): Promise<{ readonly slots: readonly PublishedSlot[]; readonly complete: boolean }>;
  /**
   * The highest epoch among all results of `partition` that are still there; undefined when there are none.
   * `complete` is false when retention removed some.
   */
  newestEpoch(
    partition: number,
  ): Promise<{ readonly epoch: number | undefined; readonly complete: boolean }>;
}

/** Room left for epochs that nobody can name any more: they rise with upgrades and broken checkpoints only. */
const forgottenEpochs = 1_024;

/**
 * An epoch above every one that was used for a task whose checkpoints are gone. No clock is asked: it would have to be
 * right in all processes, and the version has 15 bits for the epoch.
 *
 * Epochs rise over time and results are removed oldest first, so one result of the task that is still there tells. Where
 * none is and some were removed, the epochs in use are unknown: 1,024 are left out, which no life of a task gets through.
 *
 * @param salvaged what broken checkpoints still show
 */
export async function epochAbove(
  history: ResultHistory,
  partition: number,
  salvaged: number | undefined,
): Promise<number> {
  const { epoch, complete } = await history.newestEpoch(partition);
  const known = Math.max(epoch ?? -1, salvaged ?? -1);
  return epoch === undefined && !complete ? Math.max(known, 0) + forgottenEpochs : known + 1;
}
