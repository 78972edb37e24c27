import { CheckpointChain } from "./checkpoint-chain.ts";
import type { CheckpointHeader, Decision, HeaderNotes } from "./checkpoint.ts";
import type { CheckpointLadder } from "./checkpoint-ladder.ts";
import { milestones } from "./milestones.ts";
import { decisionPatienceMs, type RunOptions } from "./run-options.ts";
import type { PartitionInfo } from "./ports.ts";
import type { Task } from "./task.ts";
import { takeSnapshot, type TaskSnapshot } from "./task-snapshot.ts";

/**
 * What became of a checkpoint. "failed": it is not in the store and never will be. "unknown": it may be there, or get there
 * yet.
 */
export type Written = "durable" | "fenced" | "failed" | "unknown";

/** Pause before the store is asked again who owns the task, while results wait for the answer. */
const ownershipRetryMs = 1_000;
/** Pause after a checkpoint that did not get through, doubled up to a bound by every other one. */
const retryFromMs = 1_000;
const retryToMs = 30_000;

/** The numbers one owner takes for one task, and what it knows of still being the newest owner. */
export class TaskCheckpoints {
  /** The newest number we took. */
  seq: number;
  /** `Clock.nowMs` of the last durable checkpoint, or of taking the task. */
  writtenAt: number;
  readonly #options: RunOptions;
  readonly #ladder: CheckpointLadder;
  readonly #partition: number;
  readonly #chain: CheckpointChain;
  /** Attempts in a row that did not get through. */
  #failures = 0;
  #retryAt = 0;
  /** Nonces of attempts at `seq + 1` that may be in the store or get there yet, the one on its way included. */
  readonly #open = new Set<string>();
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
    this.#chain = new CheckpointChain(options.deltaFromBytes);
  }

  /** The last attempt did not get through. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  /** `Clock.nowMs` from which the next attempt is due. */
  get dueAt(): number {
    return this.failing ? this.#retryAt : this.writtenAt + this.#options.checkpointIntervalMs;
  }

  /** Copies what the next checkpoint is to hold. */
  capture(
    task: Task,
    info: PartitionInfo,
    jobEpoch: number,
    decisions: readonly Decision[],
    notes: HeaderNotes,
  ): TaskSnapshot {
    return takeSnapshot(task, info, this.#options, jobEpoch, decisions, notes, this.#chain);
  }

  /** Makes a snapshot durable under the next number, and commits its offset for lag tools. One at a time. */
  async write(snapshot: TaskSnapshot): Promise<Written> {
    const { clock, codec } = this.#options;
    const startedAt = clock.nowMs();
    const payload = await codec.compress(snapshot.captured.state);
    for (;;) {
      const attemptAt = clock.nowMs();
      const header = this.#number(snapshot.header);
      const { nonce } = header.writer;
      this.#open.add(nonce);
      const created = await this.#ladder.create({ header, payload }, this.#open);
      if (created.outcome === "taken") return "fenced";
      if (created.outcome === "failed") this.#open.delete(nonce);
      if (created.outcome === "failed" || created.outcome === "unknown") {
        this.#failed(created.outcome, created.cause);
        return created.outcome;
      }
      this.seq++;
      this.#open.clear();
      this.#failures = 0;
      if (created.outcome === "earlier") continue;
      const bytes = payload.length;
      const written = await this.#created(snapshot, { attemptAt, startedAt, bytes });
      const base = { seq: header.seq, digest: created.digest };
      if (written === "durable") this.#chain.durable(snapshot.captured, base);
      return written;
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
    if (top > this.seq + 1 || this.#open.size === 0) return false;
    const nonce = await this.#ladder.nonce(top);
    // Meanwhile the attempt on its way may have become a number of ours.
    return top <= this.seq || this.#open.has(nonce);
  }

  /**
   * A number was free and is ours now. Frozen for so long that a successor's claim was pruned, we may have got one that
   * others used long ago: then theirs lie above it.
   */
  async #created(
    { header, pauseMs }: TaskSnapshot,
    { attemptAt, startedAt, bytes }: { attemptAt: number; startedAt: number; bytes: number },
  ): Promise<Written> {
    const { clock, events, source } = this.#options;
    const partition = this.#partition;
    const { nextOffset } = header.log;
    milestones.checkpointed.publish(undefined);
    const numbers = await this.#numbers();
    if ((numbers[0] ?? 0) > this.seq) return "fenced";
    if (numbers.length > 0) this.#newestAt = attemptAt;
    this.writtenAt = clock.nowMs();
    const durationMs = this.writtenAt - startedAt;
    events.checkpointed({ partition, seq: this.seq, nextOffset, bytes, pauseMs, durationMs });
    await source.commit(new Map([[partition, nextOffset]]));
    await this.#prune(numbers);
    return "durable";
  }

  #failed(outcome: "failed" | "unknown", error: unknown): void {
    const { clock, events } = this.#options;
    const delayMs = Math.min(retryToMs, retryFromMs * 2 ** this.#failures++);
    this.#retryAt = clock.nowMs() + delayMs;
    const attempt = { partition: this.#partition, seq: this.seq + 1 };
    events.checkpointFailed({ ...attempt, outcome, error, delayMs });
  }

  #number(header: TaskSnapshot["header"]): CheckpointHeader {
    const { instance, nonce, clock } = this.#options;
    const at = new Date(clock.wallMs()).toISOString();
    return { ...header, seq: this.seq + 1, writer: { instance, nonce: nonce(), at } };
  }

  /** Empty when the store does not answer: the checkpoint itself is durable, so that stops nothing. */
  async #numbers(): Promise<readonly number[]> {
    return this.#tolerant("listing checkpoints", () => this.#ladder.numbers(), []);
  }

  /** Old objects only cost space, so a store that cannot remove them stops nothing. */
  async #prune(numbers: readonly number[]): Promise<void> {
    const { clock } = this.#options;
    const prune = (): Promise<void> => this.#ladder.prune(numbers, clock.wallMs());
    await this.#tolerant("pruning checkpoints", prune, undefined);
  }

  async #tolerant<T>(what: string, action: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#options.events.retried({ partition: this.#partition, what, error, delayMs: 0 });
      return otherwise;
    }
  }
}
