import type { JobIdentity } from "./acquire.ts";
import type { CheckpointStore, Clock, LogSource, PayloadCodec, ResultLog } from "./ports.ts";

/** What a process needs to run the tasks that its group gives it. */
export type RunOptions = {
  readonly job: JobIdentity;
  /** No early results. */
  readonly onlyFinal: boolean;
  /** Results of changed windows are published this often; closed ones at once. */
  readonly emitIntervalMs: number;
  readonly checkpointIntervalMs: number;
  /** Quiet time after which windows close by decision; Infinity: never. */
  readonly idleTimeoutMs: number;
  readonly source: LogSource;
  readonly results: ResultLog;
  readonly store: CheckpointStore;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  /** Names this process in checkpoints. */
  readonly instance: string;
  /** 128 random bits, as text; a new one at every call. */
  readonly nonce: () => string;
  readonly events: RunEvents;
  /** Called once with what ends the process. */
  readonly fatal: (error: unknown) => void;
};

/** How long the registry may not know a schema id before its records become dead letters, by decision. */
export const unknownSchemaPatienceMs = 30_000;

/** Least time between the claim of a task and a decision about it: what ownership may be known from is younger. */
export function decisionPatienceMs({ idleTimeoutMs }: Pick<RunOptions, "idleTimeoutMs">): number {
  return Math.min(idleTimeoutMs, unknownSchemaPatienceMs);
}

/** What the run loop announces; the application decides what becomes a log line or a metric. */
export type RunEvents = {
  acquired(task: {
    partition: number;
    seq: number;
    nextOffset: number;
    jobEpoch: number;
    unreadable: number;
    restoreMs: number;
  }): void;
  /** Another process took the task. */
  fenced(task: { partition: number; seq: number }): void;
  checkpointed(checkpoint: {
    partition: number;
    seq: number;
    nextOffset: number;
    bytes: number;
    pauseMs: number;
    durationMs: number;
  }): void;
  checkpointFailed(checkpoint: { partition: number; seq: number; outcome: string }): void;
  decided(decision: { partition: number; nextOffset: number; watermark: number }): void;
  published(output: {
    partition: number;
    results: number;
    deadLetters: number;
    late: number;
  }): void;
  /** An attempt that is made again after `delayMs`. */
  retried(attempt: { partition: number; what: string; error: unknown; delayMs: number }): void;
};
