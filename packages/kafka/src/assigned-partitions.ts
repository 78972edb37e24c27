/** One partition of the present assignment, as its reader sees it. */
export type AssignedPartition = {
  readonly partition: number;
  /** Next offset wanted; means nothing before `started`. */
  next: number;
  /** Next offset to be written, as the last fetch said; undefined before the first one. */
  end: number | undefined;
  started: boolean;
  paused: boolean;
  /** Counts starts and resumes: a batch that was offered before one of them is out of date. */
  starts: number;
  resumes: number;
};

export function assignedPartition(partition: number): AssignedPartition {
  return {
    partition,
    next: 0,
    end: undefined,
    started: false,
    paused: false,
    starts: 0,
    resumes: 0,
  };
}
