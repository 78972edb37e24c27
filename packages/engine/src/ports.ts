import type { RecordColumns } from "./columns.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { ResultColumns } from "./results.ts";

/** Time as the run loop sees it. */
export interface Clock {
  /** Monotonic: only differences mean anything, and it never jumps back. */
  nowMs(): number;
  /** Wall time, epoch ms, for people and for the age of files; nothing else may depend on it. */
  wallMs(): number;
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Durable home of checkpoints. Every backend passes `describeCheckpointStore`. */
export interface CheckpointStore {
  /**
   * Creates `name` whole or not at all, and never replaces it: of racing writers one gets "created".
   * Durable when it resolves.
   * @throws {StreamError} CHECKPOINT_REFUSED when this call created nothing and never will; anything else, like
   * CHECKPOINT_UNWRITABLE, leaves it open: the object may exist, or appear later, so that not finding it proves nothing
   */
  create(name: string, bytes: Uint8Array): Promise<"created" | "exists">;
  /** The bytes as they were created; undefined when there is no such object. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Names of objects in `folder`, without the folder, in no particular order; a missing folder is empty. */
  list(folder: string): Promise<string[]>;
  /** Removing what is not there is no error. */
  remove(name: string): Promise<void>;
}

/** Compresses checkpoint payloads; apart so that a simulation needs no thread pool. */
export interface PayloadCodec {
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  /** @throws {StreamError} CHECKPOINT_UNREADABLE when the content is larger than `maxBytes` or broken */
  decompress(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array>;
}

/** What the log knows about one partition, asked for after the call; the end of the log last, so that no commit lies behind it. */
export type PartitionInfo = {
  readonly clusterId: string;
  readonly topic: string;
  /** Partitions the topic has now. */
  readonly partitions: number;
  /** First offset still in the log. */
  readonly low: number;
  /** Next offset to be written. */
  readonly high: number;
  /** The group's committed offset, advisory; undefined when it has none. */
  readonly committed: number | undefined;
};

/**
 * One topic of the log, read as a member of a consumer group.
 *
 * Call order: the source calls `LogHandler.assigned`, with every partition paused. The handler asks `describe`,
 * decides where to begin and calls `start`; only then records of that partition come. `pause` takes effect before
 * the next `apply`. After `assigned`, calls that concern the assignment before it do nothing.
 *
 * Delivery guarantee: at least once, in offset order, nothing skipped: the source itself checks that offsets are
 * continuous and stops with OFFSET_GAP otherwise.
 */
export interface LogSource {
  describe(partition: number): Promise<PartitionInfo>;
  /** Seeks to `offset` and resumes. Never called outside of an assignment. */
  start(partition: number, offset: number): void;
  pause(partition: number): void;
  resume(partition: number): void;
  /** Best effort, for lag tools only; never rejects. */
  commit(positions: ReadonlyMap<number, number>): Promise<void>;
}

/** The run loop as its source sees it. */
export interface LogHandler {
  /** A new assignment, synchronously, before any record of it. All partitions are paused. */
  assigned(partitions: readonly number[]): void;
  /**
   * Records of one record batch, at or after the wanted offset. "later": nothing was applied, the source keeps
   * its position and delivers again once the partition is resumed.
   */
  apply(partition: number, columns: RecordColumns, nextOffset: number): "applied" | "later";
  /** A fetch proved that nothing lies at or behind `nextOffset`. Called again at every such fetch. */
  atLogEnd(partition: number, nextOffset: number): void;
  /** The registry has not known this schema id for its whole patience; its records wait for a decision. */
  schemaUnknown(partition: number, schemaId: number): void;
  /** Ids whose records are dead letters by decision; read by the source at each batch. */
  unknownSchemas(partition: number): ReadonlySet<number>;
  /** The group is about to rebalance: flush and checkpoint, in `budgetMs` at most. Never rejects. */
  beforeRejoin(budgetMs: number): Promise<void>;
}

/** Where results, dead letters and late records go. One publisher per process. */
export interface ResultLog {
  /**
   * Resolves when everything is acknowledged by the log. Order is kept within a key. Publishing the same again is harmless.
   * @throws {StreamError} PUBLISH_DEADLINE when it is not acknowledged in time; some of it may be in the log
   */
  publish(output: TaskOutput): Promise<void>;
}

/** What a task has to say since it was asked last. */
export type TaskOutput = {
  readonly partition: number;
  /** High part of every version (protocol 2.2). */
  readonly jobEpoch: number;
  readonly results: ResultColumns;
  readonly deadLetters: DeadLetters;
  readonly late: DeadLetters;
};
