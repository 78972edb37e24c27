import type { JobIdentity } from "./acquire.ts";
import type { Operator, OperatorDecision } from "./operator.ts";
import type { CheckpointStore, Clock, LogSource, PayloadCodec, ResultLog } from "./ports.ts";
import type { ResultHistory } from "./result-history.ts";
import type { ReplayExcess, ReplayLimits } from "./unsaved.ts";

/** What a process needs to run the tasks that its group gives it. */
export type RunOptions = {
  readonly job: JobIdentity;
  /** No early results. */
  readonly onlyFinal: boolean;
  /** Results of changed windows are published this often; closed ones at once. */
  readonly emitIntervalMs: number;
  readonly checkpointIntervalMs: number;
  /** Size of a state from which on checkpoints hold what changed only; left out: 1 MiB. */
  readonly deltaFromBytes?: number;
  /** Quiet time after which windows close by decision; Infinity: never. */
  readonly idleTimeoutMs: number;
  /** What a restart may have to read again before intake stops; left out: any amount. */
  readonly replayLimits?: ReplayLimits;
  /** What becomes of records of an id that the registry does not know: dead letters when left out. */
  readonly unknownSchema?: "dead-letter" | "halt";
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
  /** What an operator allowed at the start of this process; left out: nothing. */
  readonly operator?: Operator;
  /** Needed when code or settings changed, or state was lost; left out: the process ends instead. */
  readonly history?: ResultHistory;
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
  /** The task goes on and tries again after `delayMs`. */
  checkpointFailed(checkpoint: {
    partition: number;
    seq: number;
    outcome: string;
    error?: unknown;
    delayMs?: number;
  }): void;
  /** Intake stops, since no checkpoint gets through: `bytes` and `ageMs` are what a restart would read again. */
  replayLimited?(task: {
    partition: number;
    excess: ReplayExcess;
    bytes: number;
    ageMs: number;
  }): void;
  /** A checkpoint got through, so intake goes on. */
  replayUnlimited?(task: { partition: number }): void;
  decided(decision: { partition: number; nextOffset: number; watermark: number }): void;
  published(output: {
    partition: number;
    results: number;
    deadLetters: number;
    late: number;
  }): void;
  /** Something went on only because an operator allowed it. */
  operatorDecided?(decision: OperatorDecision): void;
  /** Code or settings changed after a stop that was not clean: `emptied` slots have no records any more. */
  superseded?(turned: {
    partition: number;
    jobEpoch: number;
    standing: number;
    emptied: number;
    /** False when retention may have removed some of what was to be superseded. */
    complete: boolean;
  }): void;
  /** An attempt that is made again after `delayMs`. */
  retried(attempt: { partition: number; what: string; error: unknown; delayMs: number }): void;
};
