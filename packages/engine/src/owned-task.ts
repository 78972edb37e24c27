import assert from "node:assert/strict";
import { type Acquired, canaryIn, checkLog } from "./acquire.ts";
import { expectCanary } from "./canary.ts";
import type { CheckpointLadder } from "./checkpoint-ladder.ts";
import type { CheckpointHeader, Decision } from "./checkpoint.ts";
import { dropFirstRow, type RecordColumns } from "./columns.ts";
import type { PartitionInfo, TaskOutput } from "./ports.ts";
import { decisionPatienceMs, type RunOptions } from "./run-options.ts";
import { TaskCheckpoints, type Written } from "./task-checkpoints.ts";
import { takeSnapshot } from "./task-snapshot.ts";
import type { Task } from "./task.ts";

/** Rows waiting to be published at which intake stops until they are out. */
const maxPendingRows = 200_000;
/** Input after which a checkpoint is due before its time: what a restart would have to read again. */
const checkpointBytes = 256 * 2 ** 20;
/** Pause before the store is asked again whether a decision got through. */
const decisionRetryMs = 1_000;

/**
 * A task this process owns: takes records, and publishes, checkpoints and decides one thing after the other.
 *
 * Order within one cycle (protocol 2.4): results and state are captured at one offset, the results are acknowledged by
 * the log, and only then the checkpoint is created; offsets are committed last and for lag tools only.
 */
export class OwnedTask {
  readonly task: Task;
  readonly jobEpoch: number;
  readonly checkpoints: TaskCheckpoints;
  /** Records may come: set between `LogSource.start` and the next assignment. */
  started = false;
  readonly #options: RunOptions;
  readonly #claimedAt: number;
  readonly #info: PartitionInfo;
  #verify: Acquired["verify"];
  #queue: Promise<unknown> = Promise.resolve();
  #wake = new AbortController();
  readonly #gone = new AbortController();
  #checkpointedOffset: number;
  #bytesSinceCheckpoint = 0;
  #changedByDecision: boolean;
  #deciding = false;
  #backPressure = false;
  /** First and latest proof that nothing lies behind `nextOffset`. */
  #quietSince: number | undefined;
  #quietUntil = 0;

  constructor(
    options: RunOptions,
    info: PartitionInfo,
    ladder: CheckpointLadder,
    acquired: Acquired,
    claimedAt: number,
  ) {
    const { task, seq } = acquired;
    this.task = task;
    this.jobEpoch = acquired.jobEpoch;
    this.checkpoints = new TaskCheckpoints(options, ladder, {
      partition: task.partition,
      seq,
      claimedAt,
    });
    this.#options = options;
    this.#claimedAt = claimedAt;
    this.#info = info;
    this.#verify = acquired.verify;
    this.#checkpointedOffset = task.nextOffset;
    this.#changedByDecision = acquired.fresh || task.pendingRows > 0;
  }

  /** The log as the task knows it, to be held against the log as it is. */
  get log(): CheckpointHeader["log"] {
    const { clusterId, topic, partitions } = this.#info;
    const { nextOffset, canary = null } = this.task;
    return { clusterId, topic, partitions, nextOffset, canary };
  }

  /** Another process owns it, or the group took it away: nothing is published or written any more. */
  get dropped(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Where the source must begin: at the canary while that is to be compared, else at the next record. */
  get startOffset(): number {
    return this.#verify?.offset ?? this.task.nextOffset;
  }

  /**
   * Goes on after a rejoin: the log may have been replaced meanwhile, so its canary is compared again.
   * @throws {StreamError} as `checkLog` does
   */
  rejoined(info: PartitionInfo): void {
    const { partition } = this.task;
    checkLog(info, { partition, log: this.log });
    this.#verify = canaryIn(info, this.task);
  }

  /** Applies a batch, or refuses it for now. */
  apply(columns: RecordColumns, nextOffset: number): "applied" | "later" {
    if (this.dropped || !this.started || this.#deciding || this.#backPressure) return "later";
    if (columns.count > 0) this.#compareCanary(columns);
    // A batch read again for the canary alone may end before offsets that hold no records and are behind us already.
    if (columns.count === 0 && nextOffset <= this.task.nextOffset) return "applied";
    const first = columns.count > 0 ? (columns.offset[0] ?? 0) : nextOffset;
    assert(first >= this.task.nextOffset, `record ${first} before ${this.task.nextOffset}`);
    this.task.apply(columns, nextOffset);
    this.#quietSince = undefined;
    this.#bytesSinceCheckpoint += columns.bytes.length;
    if (this.task.aggregate.pendingResults > 0) this.#wake.abort();
    if (this.task.pendingRows > maxPendingRows) {
      this.#backPressure = true;
      this.#options.source.pause(this.task.partition);
      this.#wake.abort();
    }
    return "applied";
  }

  /** Notes a proof of the log end. */
  atLogEnd(nextOffset: number): void {
    if (!this.started || nextOffset < this.task.nextOffset) return;
    this.#quietUntil = this.#options.clock.nowMs();
    this.#quietSince ??= this.#quietUntil;
  }

  /** Publishes and checkpoints at its beat until the task is dropped. */
  async run(): Promise<void> {
    const { clock, emitIntervalMs } = this.#options;
    let emitAt = clock.nowMs() + emitIntervalMs;
    while (!this.dropped) {
      await clock.sleep(Math.max(0, emitAt - clock.nowMs()), this.#wake.signal);
      if (this.#wake.signal.aborted && !this.dropped) this.#wake = new AbortController();
      const emit = clock.nowMs() >= emitAt;
      await this.#exclusive(() => this.#beat(emit));
      if (emit) emitAt = clock.nowMs() + emitIntervalMs;
    }
  }

  /** Publishes everything and makes it durable, at once. */
  async settle(): Promise<Written | "unchanged"> {
    return this.#exclusive(async () => {
      const changed = this.#changed;
      const written = await this.#cycle(changed ? [] : undefined);
      return changed ? written : "unchanged";
    });
  }

  /** True when nobody took the task since our last number. */
  async stillOurs(): Promise<boolean> {
    return this.#exclusive(async () => !this.dropped && (await this.checkpoints.newest()));
  }

  /** Makes the records of an unknown schema dead letters, as a recorded decision. */
  async decideUnknownSchema(schemaId: number): Promise<void> {
    const { clock } = this.#options;
    const waitMs = this.#claimedAt + decisionPatienceMs(this.#options) - clock.nowMs();
    if (waitMs > 0) await clock.sleep(waitMs, this.#gone.signal);
    await this.#exclusive(async () => {
      const { unknownSchemas } = this.task;
      if (unknownSchemas.has(schemaId)) return;
      const written = await this.#decide(() => {
        unknownSchemas.add(schemaId);
        this.#changedByDecision = true;
        return this.#cycle([]);
      });
      if (written === "failed") unknownSchemas.delete(schemaId);
    });
  }

  drop(): void {
    this.#gone.abort();
    this.#wake.abort();
  }

  get #changed(): boolean {
    return this.task.nextOffset !== this.#checkpointedOffset || this.#changedByDecision;
  }

  /** Between its beats a window that closed comes out alone: on a backlog many do, and early results cost more than they. */
  async #beat(emit: boolean): Promise<void> {
    const { clock, checkpointIntervalMs } = this.#options;
    const waitedMs = clock.nowMs() - this.checkpoints.writtenAt;
    const due = waitedMs >= checkpointIntervalMs || this.#bytesSinceCheckpoint >= checkpointBytes;
    await this.#cycle(due && this.#changed ? [] : undefined, emit);
    await this.#closeWhenQuiet();
  }

  /**
   * Captures and publishes; with `decisions` it also writes the checkpoint that holds them, and then everything must be
   * out: a restored task takes nothing for changed.
   */
  async #cycle(decisions: readonly Decision[] | undefined, emit = true): Promise<Written> {
    if (this.dropped) return "fenced";
    const { task, jobEpoch } = this;
    const output =
      emit || decisions !== undefined
        ? task.output(jobEpoch, this.#options.onlyFinal)
        : task.closedOutput(jobEpoch);
    const snapshot =
      decisions && takeSnapshot(task, this.#info, this.#options, jobEpoch, decisions);
    await this.#publish(output).catch((error: unknown) => {
      this.drop(); // What was captured is lost: a later checkpoint would claim that it is in the log.
      throw error;
    });
    if (this.dropped) return "fenced";
    if (snapshot === undefined) return "failed";
    const written = await this.checkpoints.write(snapshot);
    if (written === "fenced") this.#fence();
    if (written !== "durable") return written;
    this.#checkpointedOffset = snapshot.header.log.nextOffset;
    this.#changedByDecision = false;
    this.#bytesSinceCheckpoint = 0;
    return written;
  }

  async #publish(output: TaskOutput): Promise<void> {
    const { results, source, events } = this.#options;
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
    if (!this.#backPressure) return;
    this.#backPressure = false;
    if (this.started && !this.#deciding) source.resume(partition);
  }

  /**
   * Closes windows of a quiet partition. "Now" is the log's own time: its highest timestamp plus the proven quiet, so
   * that a historical load in two parts does not lose the second one to the wall clock.
   */
  async #closeWhenQuiet(): Promise<void> {
    const { task } = this;
    const { events, idleTimeoutMs } = this.#options;
    if (this.dropped || this.#quietSince === undefined) return;
    const quietMs = this.#quietUntil - this.#quietSince;
    if (quietMs < idleTimeoutMs) return;
    const watermark = task.aggregate.decidable(task.logTime + quietMs);
    if (watermark === undefined) return;
    const { nextOffset } = task;
    await this.#decide(async () => {
      const written = await this.#cycle([{ offset: nextOffset, watermark, why: "idle" }]);
      if (written === "durable") {
        task.decide(watermark);
        this.#changedByDecision = true;
        this.#wake.abort();
        events.decided({ partition: task.partition, nextOffset, watermark });
      }
      return written;
    });
  }

  /**
   * Takes a decision that the log does not contain: intake stands still until it is known to be durable or known not to
   * be, since records applied meanwhile would be judged without it.
   */
  async #decide(attempt: () => Promise<Written>): Promise<Written> {
    const { clock, source } = this.#options;
    const { partition } = this.task;
    this.#deciding = true;
    source.pause(partition);
    let written = await attempt();
    // Once an attempt may be in the store, the failure of a later one proves nothing: only "durable" or "fenced" ends it.
    for (let open = written === "unknown"; open && !this.dropped;) {
      await clock.sleep(decisionRetryMs, this.#gone.signal);
      written = await attempt();
      open = written === "unknown" || written === "failed";
    }
    this.#deciding = false;
    if (this.started && !this.dropped) source.resume(partition);
    return written;
  }

  #compareCanary(columns: RecordColumns): void {
    const expected = this.#verify;
    if (expected === undefined) return;
    this.#verify = undefined;
    expectCanary(expected, columns, `${this.#info.topic} partition ${this.task.partition}`);
    dropFirstRow(columns);
  }

  #fence(): void {
    if (this.dropped) return;
    this.#options.events.fenced({ partition: this.task.partition, seq: this.checkpoints.seq });
    this.drop();
  }

  /** One cycle at a time: cycles share the task's pending output and the next number. */
  async #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => {});
    return result;
  }
}
