import type { CheckpointHeader } from "./checkpoint.ts";
import type { CheckpointLadder } from "./checkpoint-ladder.ts";
import { decisionPatienceMs, type RunOptions } from "./run-options.ts";
import type { TaskSnapshot } from "./task-snapshot.ts";

/** What became of a checkpoint. "unknown": it may or may not be in the store, and reading back did not help. */
export type Written = "durable" | "fenced" | "failed" | "unknown";

/** Pause before the store is asked again who owns the task, while results wait for the answer. */
const ownershipRetryMs = 1_000;

/** The numbers one owner takes for one task, and what it knows of still being the newest owner. */
export class TaskCheckpoints {
  /** The newest number we took. */
  seq: number;
  /** `Clock.nowMs` of the last durable checkpoint, or of taking the task. */
  writtenAt: number;
  readonly #options: RunOptions;
  readonly #ladder: CheckpointLadder;
  readonly #partition: number;
  /** Nonces of attempts at `seq + 1` whose outcome is unknown. */
  #open: string[] = [];
  /** When we last knew that nobody had claimed the task after us. */
  #newestAt: number;

  constructor(
    options: RunOptions,
    ladder: CheckpointLadder,
    owner: { partition: number; seq: number; claimedAt: number },
  ) {
    this.#options = options;
    this.#ladder = ladder;
    this.#partition = owner.partition;
    this.seq = owner.seq;
    this.writtenAt = owner.claimedAt;
    this.#newestAt = owner.claimedAt;
  }

  /** Makes a snapshot durable under the next number, and commits its offset for lag tools. */
  async write(snapshot: TaskSnapshot): Promise<Written> {
    const { clock, codec, events, source } = this.#options;
    const { state, header, pauseMs } = snapshot;
    const startedAt = clock.nowMs();
    const payload = await codec.compress(state);
    for (;;) {
      const attemptAt = clock.nowMs();
      const numbered = this.#number(header);
      const { nonce } = numbered.writer;
      const created = await this.#ladder.create({ header: numbered, payload }, this.#open);
      if (created === "mine" || created === "earlier") {
        this.seq++;
        this.#open = [];
        this.#newestAt = attemptAt;
        if (created === "earlier") continue;
        this.writtenAt = clock.nowMs();
        events.checkpointed({
          partition: this.#partition,
          seq: this.seq,
          nextOffset: header.log.nextOffset,
          bytes: payload.length,
          pauseMs,
          durationMs: this.writtenAt - startedAt,
        });
        await source.commit(new Map([[this.#partition, header.log.nextOffset]]));
        await this.#prune();
        return "durable";
      }
      if (created === "unknown") this.#open.push(nonce);
      if (created === "taken") return "fenced";
      events.checkpointFailed({ partition: this.#partition, seq: this.seq + 1, outcome: created });
      return created;
    }
  }

  /** True when nobody took the task after us; asked when the group gives it to us again. */
  async newest(): Promise<boolean> {
    const askedAt = this.#options.clock.nowMs();
    const top = await this.#ladder.top();
    // Only a read of the frame could tell an attempt of ours from a claim of another: take it as theirs.
    if (top !== this.seq) return false;
    this.#newestAt = askedAt;
    return true;
  }

  /**
   * Whether results may be published: false when another process took the task, or `gone` aborted.
   *
   * An owner that was frozen may not know of its successor's decisions, and would count records that are late by them.
   * A successor decides no earlier than `decisionPatienceMs` after its claim, so whoever knows itself to be the newest owner
   * within that time has read nothing behind such a decision. Knowledge older than half of it is renewed here. When the
   * store does not answer, the other half is left for it to come back; after that results wait, since a successor may
   * have claimed and decided before the store went away.
   */
  async mayPublish(gone: AbortSignal): Promise<boolean> {
    const { clock, events } = this.#options;
    const patienceMs = decisionPatienceMs(this.#options);
    const capturedAt = clock.nowMs();
    if (capturedAt - this.#newestAt <= patienceMs / 2) return true;
    while (!gone.aborted) {
      const askedAt = clock.nowMs();
      try {
        if (!(await this.#stillNewest())) return false;
        this.#newestAt = askedAt;
        return true;
      } catch (error) {
        const held = capturedAt - this.#newestAt > patienceMs;
        const delayMs = held ? ownershipRetryMs : 0;
        events.retried({ partition: this.#partition, what: "ownership check", error, delayMs });
        if (!held) return true;
        await clock.sleep(delayMs, gone);
      }
    }
    return false;
  }

  /** One number above ours may be an attempt of ours that got through, or the claim of a successor: only its nonce tells. */
  async #stillNewest(): Promise<boolean> {
    const top = await this.#ladder.top();
    if (top <= this.seq) return true;
    if (top > this.seq + 1 || this.#open.length === 0) return false;
    return this.#open.includes(await this.#ladder.nonce(top));
  }

  #number(header: TaskSnapshot["header"]): CheckpointHeader {
    const { instance, nonce, clock } = this.#options;
    const at = new Date(clock.wallMs()).toISOString();
    return { ...header, seq: this.seq + 1, writer: { instance, nonce: nonce(), at } };
  }

  /** Old objects only cost space, so a store that cannot remove them stops nothing. */
  async #prune(): Promise<void> {
    const { clock, events } = this.#options;
    try {
      await this.#ladder.prune(this.seq, clock.wallMs());
    } catch (error) {
      events.retried({
        partition: this.#partition,
        what: "pruning checkpoints",
        error,
        delayMs: 0,
      });
    }
  }
}
