/** One partition of the present assignment, as its reader sees it. */
export type AssignedPartition = {
  readonly partition: number;
  /** Next offset wanted; means nothing before `started`. */
  next: number;
  started: boolean;
  paused: boolean;
  /** Counts starts and resumes: a batch that was offered before one of them is out of date. */
  starts: number;
  resumes: number;
};

export function assignedPartition(partition: number): AssignedPartition {
  return { partition, next: 0, started: false, paused: false, starts: 0, resumes: 0 };
}
