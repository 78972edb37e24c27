import assert from "node:assert/strict";
import type { Acquired } from "./acquire.ts";
import type { CheckpointLadder } from "./checkpoint-ladder.ts";
import type { Decision } from "./checkpoint.ts";
import type { RecordColumns } from "./columns.ts";
import { Decisions } from "./decisions.ts";
import { EmissionBeat } from "./emission-beat.ts";
import { Intake } from "./intake.ts";
import { Lineage } from "./lineage.ts";
import { LogIdentity } from "./log-identity.ts";
import type { PartitionInfo, TaskOutput } from "./ports.ts";
import { Quiet } from "./quiet.ts";
import { endReplayLimit, limitReplay } from "./replay-limit.ts";
import { decisionPatienceMs, type RunOptions } from "./run-options.ts";
import { TaskCheckpoints, type Written } from "./task-checkpoints.ts";
import type { TaskSnapshot } from "./task-snapshot.ts";
import type { Task } from "./task.ts";
import { Unsaved } from "./unsaved.ts";

/** Rows waiting to be published at which intake stops until they are out. */
const maxPendingRows = 200_000;
/** Input after which a checkpoint is due before its time: what a restart would have to read again. */
const checkpointBytes = 256 * 2 ** 20;

/**
 * A task this process owns: takes records, publishes and checkpoints.
 *
 * Order (protocol 2.4): results and state are captured at one offset, the results are acknowledged by the log, and only
 * then the checkpoint is created; offsets are committed last and for lag tools only. While a checkpoint is on its way to
 * the store the task goes on, and so do its results, until the store has to be asked who owns the task.
 */
export class OwnedTask {
  readonly task: Task;
  readonly jobEpoch: number;
  readonly checkpoints: TaskCheckpoints;
  readonly identity: LogIdentity;
  readonly intake: Intake;
  readonly unsaved: Unsaved;
  readonly #options: RunOptions;
  readonly #info: PartitionInfo;
  readonly #lineage: Lineage;
  readonly #decisions: Decisions;
  readonly #quiet = new Quiet();
  readonly #emission: EmissionBeat;
  #queue: Promise<unknown> = Promise.resolve();
  /** The checkpoint that is on its way; never rejects. */
  #saving: Promise<void> | undefined;
  #wake = new AbortController(); // Aborted with null: without a reason each abort makes an error with its stack.
  readonly #gone = new AbortController();

  constructor(
    options: RunOptions,
    info: PartitionInfo,
    ladder: CheckpointLadder,
    acquired: Acquired,
    claimedAt: number,
  ) {
    const { task, seq } = acquired;
    const { partition } = task;
    this.task = task;
    this.jobEpoch = acquired.jobEpoch;
    this.checkpoints = new TaskCheckpoints(options, ladder, { partition, seq, claimedAt });
    this.intake = new Intake(options.source, partition);
    this.#options = options;
    this.#emission = new EmissionBeat(options);
    this.#info = info;
    this.identity = new LogIdentity(info, task, acquired.verify);
    const turned = acquired.notes.supersedes !== undefined;
    const changed = acquired.fresh || turned || task.pendingRows > 0;
    this.unsaved = new Unsaved(task.nextOffset, changed);
    this.#lineage = new Lineage(acquired, claimedAt + decisionPatienceMs(options));
    this.#decisions = new Decisions(options, task, this.intake, {
      gone: this.#gone.signal,
      claimedAt,
      write: (decisions) => this.#cycle(decisions),
      changed: () => this.unsaved.decided(),
    });
  }

  /** Records may come: set between `LogSource.start` and the next assignment. */
  get started(): boolean {
    return this.intake.started;
  }

  set started(started: boolean) {
    this.intake.started = started;
  }

  /** Another process owns it, or the group took it away: nothing is published or written any more. */
  get dropped(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Where a restart would begin. */
  get checkpointedOffset(): number {
    return this.unsaved.savedOffset;
  }

  /** Where the source must begin. */
  get startOffset(): number {
    return this.identity.startOffset;
  }

  /**
   * Goes on after a rejoin.
   * @throws {StreamError} as `checkLog` does
   */
  rejoined(info: PartitionInfo): void {
    this.identity.rejoined(info);
  }

  /** Applies a batch, or refuses it for now. */
  apply(columns: RecordColumns, nextOffset: number): "applied" | "later" {
    limitReplay(this, this.#options);
    if (this.dropped || !this.intake.open) return "later";
    this.identity.compare(columns);
    const { task } = this;
    // A batch read again for the canary alone may end before offsets that hold no records and are behind us already.
    if (columns.count === 0 && nextOffset <= task.nextOffset) return "applied";
    const first = columns.count > 0 ? (columns.offset[0] ?? 0) : nextOffset;
    assert(first >= task.nextOffset, `record ${first} before ${task.nextOffset}`);
    task.apply(columns, nextOffset);
    this.#quiet.ended();
    this.unsaved.applied(columns.bytes.length, this.#options.clock.nowMs(), task.logTime);
    if (this.#emission.changed() || task.aggregate.pendingResults > 0) this.#wake.abort(null);
    if (task.pendingRows > maxPendingRows) {
      this.intake.hold("rows");
      this.#wake.abort(null);
    }
    return "applied";
  }

  /** Notes a proof of the log end. */
  atLogEnd(nextOffset: number): void {
    if (!this.started || nextOffset < this.task.nextOffset) return;
    const nowMs = this.#options.clock.nowMs();
    this.#quiet.proven(nowMs);
    this.#lineage.logEnded(nowMs);
    if (this.#emission.logEnded()) this.#wake.abort(null);
  }

  /** Publishes and checkpoints at its beat until the task is dropped. */
  async run(): Promise<void> {
    while (!this.dropped) {
      await this.#options.clock.sleep(this.#emission.sleepMs(), this.#wake.signal);
      if (this.#wake.signal.aborted && !this.dropped) this.#wake = new AbortController();
      await this.#exclusive(() => this.#beat(this.#emission.begins()));
    }
  }

  /**
   * Publishes everything and makes it durable, at once.
   * @param last nothing is applied any more: the checkpoint is a savepoint if it can be one
   */
  async settle(last = false): Promise<Written | "unchanged"> {
    return this.#exclusive(async () => {
      await this.#saving;
      if ((last && this.#lineage.end()) || this.#changed) return this.#cycle([]);
      await this.#publishCaptured(undefined, true);
      return "unchanged";
    });
  }

  /** True when nobody took the task since our last number. */
  async stillOurs(): Promise<boolean> {
    return this.#exclusive(async () => {
      await this.#saving;
      return !this.dropped && this.checkpoints.newest();
    });
  }

  /** Makes the records of an unknown schema dead letters, as a recorded decision; tried until it is durable. */
  async decideUnknownSchema(schemaId: number): Promise<void> {
    await this.#decisions.ripe();
    const decided = (): Promise<boolean> =>
      this.#exclusive(async () => {
        await this.#saving;
        return this.#mayDecide && (await this.#decisions.unknownSchema(schemaId));
      });
    while (!this.dropped && !(await decided())) await this.#decisions.rest();
  }

  drop(): void {
    this.#gone.abort();
    this.#wake.abort(null);
  }

  get #changed(): boolean {
    return this.unsaved.changed(this.task.nextOffset);
  }

  /**
   * A decision that a failing store may or may not have got would hold up intake until the store is back, so it waits for
   * a plain checkpoint to get through first.
   */
  get #mayDecide(): boolean {
    return !this.dropped && this.#saving === undefined && !this.checkpoints.failing;
  }

  /** Whether a checkpoint is to be written now. A store that fails is tried even without news, for the decisions that wait. */
  get #due(): boolean {
    if (this.#saving !== undefined) return false;
    const onTime = this.#options.clock.nowMs() >= this.checkpoints.dueAt;
    if (this.checkpoints.failing) return onTime;
    const pressing = this.unsaved.bytes >= checkpointBytes || this.intake.reasons.has("replay");
    return this.#changed && (onTime || pressing);
  }

  /** Between its beats a window that closed comes out alone: on a backlog many do, and early results cost more than they. */
  async #beat(emit: boolean): Promise<void> {
    const snapshot = await this.#publishCaptured(this.#due ? [] : undefined, emit);
    if (snapshot !== undefined) this.#saving = this.#saveAside(snapshot);
    const quietMs = this.#quiet.ms;
    if (quietMs === undefined || !this.#mayDecide) return;
    if (await this.#decisions.closeWindows(quietMs)) this.#wake.abort(null);
  }

  /** Publishes everything and writes the checkpoint that holds `decisions`, and waits for it. */
  async #cycle(decisions: readonly Decision[]): Promise<Written> {
    const snapshot = await this.#publishCaptured(decisions, true);
    return snapshot === undefined ? "fenced" : this.#save(snapshot);
  }

  /**
   * Captures and publishes. With `decisions` it also captures the state for a checkpoint that holds them, and then
   * everything must be out: a restored task takes nothing for changed.
   * @returns what was captured; undefined without `decisions`, and when the task is not ours any more
   */
  async #publishCaptured(
    decisions: readonly Decision[] | undefined,
    emit: boolean,
  ): Promise<TaskSnapshot | undefined> {
    if (this.dropped) return undefined;
    const { task, jobEpoch } = this;
    const output =
      emit || decisions !== undefined
        ? task.output(jobEpoch, this.#options.onlyFinal)
        : task.closedOutput(jobEpoch);
    const snapshot =
      decisions &&
      this.checkpoints.capture(task, this.#info, jobEpoch, decisions, this.#lineage.notes);
    if (snapshot !== undefined) this.unsaved.captured();
    await this.#publish(output).catch((error: unknown) => {
      this.drop(); // What was captured is lost: a later checkpoint would claim that it is in the log.
      throw error;
    });
    return this.dropped ? undefined : snapshot;
  }

  /** Writes a checkpoint while the task goes on. */
  async #saveAside(snapshot: TaskSnapshot): Promise<void> {
    try {
      await this.#save(snapshot);
    } catch (error) {
      this.drop();
      this.#options.fatal(error);
    } finally {
      this.#saving = undefined;
    }
  }

  async #save(snapshot: TaskSnapshot): Promise<Written> {
    const written = await this.checkpoints.write(snapshot);
    if (written === "fenced") this.#fence();
    if (written !== "durable") return written;
    this.unsaved.saved(snapshot.header.log.nextOffset);
    endReplayLimit(this, this.#options);
    return written;
  }

  async #publish(output: TaskOutput): Promise<void> {
    const { results, events } = this.#options;
    const { partition, deadLetters, late } = output;
    if (output.results.count + deadLetters.length + late.length > 0) {
      if (!(await this.checkpoints.mayPublish(this.#gone.signal))) this.#fence();
      if (this.dropped) return;
      await results.publish(output);
      events.published({
        partition,
        results: output.results.count,
        deadLetters: deadLetters.length,
        late: late.length,
      });
    }
    this.intake.release("rows");
  }

  #fence(): void {
    if (this.dropped) return;
    this.#options.events.fenced({ partition: this.task.partition, seq: this.checkpoints.seq });
    this.drop();
  }

  /** One cycle at a time: cycles share the task's pending output. */
  async #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => {});
    return result;
  }
}
