import { type Acquired, acquireTask } from "./acquire.ts";
import { CheckpointLadder } from "./checkpoint-ladder.ts";
import type { RecordColumns } from "./columns.ts";
import { StreamError } from "./errors.ts";
import { milestones } from "./milestones.ts";
import { OwnedTask } from "./owned-task.ts";
import type { LogHandler } from "./ports.ts";
import { schemaUnknown } from "./operator-halt.ts";
import { type RunOptions, unknownSchemaPatienceMs } from "./run-options.ts";
import { SecondChances } from "./second-chance.ts";
import { StartPermissions } from "./start-permissions.ts";
import { supersede } from "./supersede.ts";

const retryFromMs = 500;
const retryToMs = 30_000;
/** A task that was taken from us although the group still gives it to us is claimed again after this. */
const reclaimAfterMs = 3_000;
const none: ReadonlySet<number> = new Set();

/**
 * Runs the tasks of the partitions that the group assigns: acquire, apply, publish, checkpoint, commit.
 *
 * Delivery guarantee: every result key converges to the value of its accepted records, each counted once, over any kills,
 * rebalances and outages (protocol 1). Back pressure: intake of a task pauses while too many of its rows wait.
 */
export class TaskRunner implements LogHandler {
  readonly #options: RunOptions;
  readonly #tasks = new Map<number, OwnedTask>();
  /** Take-overs of one partition happen one after the other, or an old one would fence a newer one of ours. */
  readonly #takeOvers = new Map<number, Promise<void>>();
  readonly #chances = new SecondChances();
  readonly #permissions: StartPermissions;
  #assignment = 0;
  #stopped = new AbortController();

  constructor(options: RunOptions) {
    this.#options = options;
    this.#permissions = new StartPermissions(options);
  }

  /** Tasks that take records now. */
  get tasks(): readonly OwnedTask[] {
    return [...this.#tasks.values()].filter((owned) => owned.started && !owned.dropped);
  }

  assigned(partitions: readonly number[]): void {
    const assignment = ++this.#assignment;
    for (const [partition, owned] of this.#tasks) {
      owned.started = false;
      if (partitions.includes(partition)) continue;
      owned.drop();
      this.#tasks.delete(partition);
    }
    for (const partition of partitions) this.#takeOver(partition, assignment);
  }

  apply(partition: number, columns: RecordColumns, nextOffset: number): "applied" | "later" {
    if (this.#stopped.signal.aborted) return "later";
    const owned = this.#tasks.get(partition);
    try {
      const outcome = owned?.apply(columns, nextOffset) ?? "later";
      if (outcome === "later") return outcome;
      this.#permissions.tookRecords(partition);
      milestones.applied.publish(undefined);
      return outcome;
    } catch (error) {
      if (owned === undefined) throw error;
      const firstOffset = columns.count > 0 ? (columns.offset[0] ?? 0) : nextOffset;
      this.#failed(owned, error, firstOffset, nextOffset);
      return "later";
    }
  }

  atLogEnd(partition: number, nextOffset: number): void {
    this.#tasks.get(partition)?.atLogEnd(nextOffset);
  }

  schemaUnknown(partition: number, schemaId: number): void {
    const { fatal, unknownSchema } = this.#options;
    const owned = this.#tasks.get(partition);
    if (owned === undefined) return;
    if (unknownSchema === "halt")
      fatal(schemaUnknown(partition, schemaId, unknownSchemaPatienceMs));
    else owned.decideUnknownSchema(schemaId).catch(fatal);
  }

  unknownSchemas(partition: number): ReadonlySet<number> {
    return this.#tasks.get(partition)?.task.unknownSchemas ?? none;
  }

  /** Leaves as little as possible for the next owner to do again; gives up when the budget is used. */
  async beforeRejoin(budgetMs: number): Promise<void> {
    await this.#settleAll(budgetMs);
  }

  /**
   * Stops intake, then publishes, checkpoints and commits everything. Call it before the source is closed.
   * @returns whether all of it is durable
   */
  async drain(budgetMs: number): Promise<boolean> {
    this.#stopped.abort();
    const durable = await this.#settleAll(budgetMs, true);
    for (const owned of this.#tasks.values()) owned.drop();
    return durable;
  }

  async #settleAll(budgetMs: number, last = false): Promise<boolean> {
    const { clock, fatal } = this.#options;
    const settled = new AbortController();
    let durable = false;
    const settle = async (): Promise<void> => {
      const written = await Promise.all(this.tasks.map((owned) => owned.settle(last)));
      durable = written.every(
        (one) => one === "durable" || one === "unchanged" || one === "fenced",
      );
      settled.abort();
    };
    await Promise.race([settle().catch(fatal), clock.sleep(budgetMs, settled.signal)]);
    return durable;
  }

  #takeOver(partition: number, assignment: number): void {
    const before = this.#takeOvers.get(partition) ?? Promise.resolve();
    const takeOver = before.then(() => this.#acquireWithRetry(partition, assignment));
    this.#takeOvers.set(partition, takeOver.catch(this.#options.fatal));
  }

  #current(assignment: number): boolean {
    return assignment === this.#assignment && !this.#stopped.signal.aborted;
  }

  async #acquireWithRetry(partition: number, assignment: number): Promise<void> {
    const { clock, events } = this.#options;
    for (let attempt = 0; this.#current(assignment); attempt++) {
      try {
        if (await this.#acquire(partition, assignment)) return;
        await clock.sleep(reclaimAfterMs, this.#stopped.signal);
      } catch (error) {
        if (!(error instanceof StreamError) || error.disposition !== "retry") throw error;
        const delayMs = Math.min(retryToMs, retryFromMs * 2 ** attempt);
        events.retried({ partition, what: "taking over", error, delayMs });
        await clock.sleep(delayMs, this.#stopped.signal);
      }
    }
  }

  /** @returns false when others won every race for the claim */
  async #acquire(partition: number, assignment: number): Promise<boolean> {
    const { clock, source, job, store, events } = this.#options;
    const startedAt = clock.nowMs();
    const info = await source.describe(partition);
    if (!this.#current(assignment)) return true;
    if (await this.#keep(partition, assignment, info)) return true;
    if (!this.#current(assignment)) return true;
    this.#permissions.takingOver(partition, info.high);
    const ladder = new CheckpointLadder(store, job.name, partition);
    const claimedAt = clock.nowMs();
    const acquired = await this.#claim(partition, ladder);
    if (acquired === undefined) return false;
    if (!this.#current(assignment)) return true;
    const { task, jobEpoch, seq, unreadable } = acquired;
    const owned = new OwnedTask(this.#options, info, ladder, acquired, claimedAt);
    if (acquired.fresh && (await owned.settle()) !== "durable") {
      const text = `partition ${partition}: its first checkpoint could not be written`;
      throw new StreamError("CHECKPOINT_UNWRITABLE", "retry", text);
    }
    this.#permissions.tookOver(partition);
    const { supersedes } = acquired.notes;
    if (supersedes !== undefined) {
      const current = (): boolean => this.#current(assignment);
      const turned = { task, jobEpoch, supersedes, claimedAt, current };
      await supersede(this.#options, turned, this.#stopped.signal);
    }
    if (!this.#current(assignment)) return true;
    this.#tasks.set(partition, owned);
    const restoreMs = clock.nowMs() - startedAt;
    const { nextOffset } = task;
    events.acquired({ partition, seq, nextOffset, jobEpoch, unreadable, restoreMs });
    this.#start(owned);
    this.#runUntilDropped(owned).catch(this.#options.fatal);
    return true;
  }

  async #claim(partition: number, ladder: CheckpointLadder): Promise<Acquired | undefined> {
    const { clock, source, job, store, codec, instance, nonce, history } = this.#options;
    const startedAt = new Date(clock.wallMs()).toISOString();
    return acquireTask({
      job,
      partition,
      ladder,
      codec,
      clock,
      history,
      describe: async () => source.describe(partition),
      writer: () => {
        const at = new Date(clock.wallMs()).toISOString();
        return { instance, nonce: nonce(), at, startedAt };
      },
      operator: this.#permissions.of(partition),
      ...this.#permissions.lifted(partition),
      begunWith: async () => {
        const { checkpoint } = await new CheckpointLadder(store, job.name, 0).newest();
        return checkpoint?.header.begunWith ?? checkpoint?.header.log.partitions;
      },
    });
  }

  /**
   * Gives up a task that failed half way: no checkpoint may hold what it is now.
   * @throws what ends the process, unless the task is taken over again, from its checkpoint
   */
  #failed(owned: OwnedTask, error: unknown, firstOffset: number, nextOffset: number): void {
    owned.drop();
    const { source, events } = this.#options;
    const { partition } = owned.task;
    if (!this.#permissions.lifts(error, partition)) {
      const { topic } = owned.identity.log;
      const { checkpointedOffset } = owned;
      const place = { topic, partition, firstOffset, nextOffset, checkpointedOffset };
      const refused = this.#chances.refused(error, place);
      if (refused !== undefined) throw refused;
      events.retried({ partition, what: "a batch", error, delayMs: 0 });
    }
    // Assigned again meanwhile: the take-over under way will find it dropped.
    if (this.#tasks.get(partition) !== owned) return;
    this.#tasks.delete(partition);
    source.pause(partition);
    this.#takeOver(partition, this.#assignment);
  }

  /** Goes on with the task in memory when nobody else took it meanwhile. */
  async #keep(
    partition: number,
    assignment: number,
    info: Awaited<ReturnType<RunOptions["source"]["describe"]>>,
  ): Promise<boolean> {
    const kept = this.#tasks.get(partition);
    if (kept === undefined) return false;
    const ours = await kept.stillOurs();
    if (!this.#current(assignment)) return true;
    if (!ours) {
      kept.drop();
      this.#tasks.delete(partition);
      return false;
    }
    kept.rejoined(info);
    this.#start(kept);
    return true;
  }

  #start(owned: OwnedTask): void {
    owned.started = true;
    this.#options.source.start(owned.task.partition, owned.startOffset);
  }

  async #runUntilDropped(owned: OwnedTask): Promise<void> {
    const { partition } = owned.task;
    try {
      await owned.run();
    } catch (error) {
      const { nextOffset } = owned.task;
      return this.#failed(owned, error, owned.checkpointedOffset, nextOffset);
    }
    // Not started: assigned again meanwhile, and the take-over that goes on will find it dropped.
    const ours = this.#tasks.get(partition) === owned && owned.started;
    if (!ours || this.#stopped.signal.aborted) return;
    // Fenced although the group still gives it to us: a claim of an earlier assignment came late, or we are the frozen one.
    this.#tasks.delete(partition);
    this.#options.source.pause(partition);
    const assignment = this.#assignment;
    await this.#options.clock.sleep(reclaimAfterMs, this.#stopped.signal);
    if (this.#current(assignment)) this.#takeOver(partition, assignment);
  }
}
