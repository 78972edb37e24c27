/**
 * A decision of an operator on the audit topic, as JSON: what a processor went on over because somebody said so. The
 * record is durable before anything follows from it; after a crash it may appear twice.
 */
export type AuditRecord = {
  /** The flag that allowed it. */
  readonly decision:
    | "from-beginning"
    | "accept-gap"
    | "accept-new-log"
    | "retry-schemas"
    | "accept-dead-letters";
  /** `<group>/<job>`, as the checkpoints are named. */
  readonly job: string;
  readonly topic: string;
  readonly partition: number;
  /** Where the task goes on. */
  readonly next_offset: number;
  /** First and last offset that are not counted, or that may be dead letters; null where there are none. */
  readonly from: number | null;
  readonly to: number | null;
  /** How many are not counted; null where none are, and for dead letters, whose topic tells. */
  readonly count: number | null;
  /** High part of the versions of all results from here on. */
  readonly job_epoch: number;
  /** What was found, in words. */
  readonly why: string;
  /** Wall time, ISO. */
  readonly at: string;
  /** Host, process and start of the processor. */
  readonly instance: string;
};

/** Decisions about one task share a key, and so their order. */
export function auditKey({ job, partition }: Pick<AuditRecord, "job" | "partition">): string {
  return `${job}/${partition}`;
}
