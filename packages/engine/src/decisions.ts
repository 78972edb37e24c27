import type { Decision } from "./checkpoint.ts";
import type { Intake } from "./intake.ts";
import { decisionPatienceMs, type RunOptions } from "./run-options.ts";
import type { Written } from "./task-checkpoints.ts";
import type { Task } from "./task.ts";

/** Pause before the store is asked again whether a decision got through. */
const retryMs = 1_000;

/** What decisions need of the owner of their task. */
export type DecidingOwner = {
  /** The task is not ours any more. */
  readonly gone: AbortSignal;
  /** `Clock.nowMs` of the claim. */
  readonly claimedAt: number;
  /** Publishes what there is, then writes a checkpoint that holds `decisions`. */
  readonly write: (decisions: readonly Decision[]) => Promise<Written>;
  /** The task changed, and its offset does not tell. */
  readonly changed: () => void;
};

/**
 * What a task is told that does not follow from the log. A decision is durable before anything is published that rests
 * on it, so that every later owner finds it and takes it again.
 */
export class Decisions {
  readonly #options: RunOptions;
  readonly #task: Task;
  readonly #intake: Intake;
  readonly #owner: DecidingOwner;

  constructor(options: RunOptions, task: Task, intake: Intake, owner: DecidingOwner) {
    this.#options = options;
    this.#task = task;
    this.#intake = intake;
    this.#owner = owner;
  }

  /** Resolves when the claim is so old that every owner before us has noticed it, or the task is gone. */
  async ripe(): Promise<void> {
    const { clock } = this.#options;
    const { claimedAt, gone } = this.#owner;
    const waitMs = claimedAt + decisionPatienceMs(this.#options) - clock.nowMs();
    if (waitMs > 0) await clock.sleep(waitMs, gone);
  }

  /** Lets an attempt that failed rest before the next. */
  async rest(): Promise<void> {
    await this.#options.clock.sleep(retryMs, this.#owner.gone);
  }

  /**
   * Makes the records of an unknown schema dead letters.
   * @returns false when the decision could not be written; nothing is decided then
   */
  async unknownSchema(schemaId: number): Promise<boolean> {
    const { unknownSchemas } = this.#task;
    if (unknownSchemas.has(schemaId)) return true;
    const written = await this.#decide(() => {
      unknownSchemas.add(schemaId);
      this.#owner.changed();
      return this.#owner.write([]);
    });
    if (written === "failed") unknownSchemas.delete(schemaId);
    return written !== "failed";
  }

  /**
   * Closes windows of a partition that was quiet for `quietMs`. "Now" is the log's own time: its highest timestamp plus the
   * proven quiet, so that a historical load in two parts does not lose the second one to the wall clock.
   * @returns whether there was something to close, and it is durable
   */
  async closeWindows(quietMs: number): Promise<boolean> {
    const task = this.#task;
    const { events, idleTimeoutMs } = this.#options;
    if (quietMs < idleTimeoutMs) return false;
    const watermark = task.aggregate.decidable(task.logTime + quietMs);
    if (watermark === undefined) return false;
    const { nextOffset, partition } = task;
    const written = await this.#decide(async () => {
      const outcome = await this.#owner.write([{ offset: nextOffset, watermark, why: "idle" }]);
      if (outcome === "durable") {
        task.decide(watermark);
        this.#owner.changed();
        events.decided({ partition, nextOffset, watermark });
      }
      return outcome;
    });
    return written === "durable";
  }

  /** Intake stands still until the decision is known to be durable, or known never to be. */
  async #decide(attempt: () => Promise<Written>): Promise<Written> {
    this.#intake.hold("decision");
    let written = await attempt();
    // Once an attempt may be in the store, the failure of a later one proves nothing: only "durable" or "fenced" ends it.
    for (let open = written === "unknown"; open && !this.#owner.gone.aborted;) {
      await this.rest();
      written = await attempt();
      open = written === "unknown" || written === "failed";
    }
    this.#intake.release("decision");
    return written;
  }
}
