import type { OperatorFlag } from "./operator-halt.ts";

/** What an operator allowed, and what came of it: for the audit log, and kept in the checkpoints of the task. */
export type OperatorDecision = {
  readonly flag: OperatorFlag;
  readonly topic: string;
  readonly partition: number;
  /** Where the task goes on. */
  readonly nextOffset: number;
  /** Offsets that are not counted, the last one included; null where none are missing. */
  readonly missing: {
    readonly from: number;
    readonly to: number;
    readonly count: number;
  } | null;
  /** Offsets that may all become dead letters, the last one included; left out where none are allowed to. */
  readonly tolerated?: { readonly from: number; readonly to: number };
  /** High part of the versions from here on. */
  readonly jobEpoch: number;
  /** What the process would have ended with. */
  readonly why: string;
  /** Wall time, ISO. */
  readonly at: string;
  /** The process that did it. */
  readonly instance: string;
};

/** The operator, as far as a process has heard of them. */
export type Operator = {
  /** Asked when a task of this process needs the flag, and only until the task has read its first records. */
  permits(flag: OperatorFlag): boolean;
  /** Resolves when the decision is durable outside of the checkpoints. Twice after a crash. */
  audit(decision: OperatorDecision): Promise<void>;
};

/** Nobody allowed anything. */
export const absentOperator: Operator = {
  permits: () => false,
  audit: async () => {},
};
