/** Dead letters within this many records are too many … */
const windowRecords = 10_000;
/** … when there are this many … */
const deadAtLeast = 100;
/** … and they are more than this share of the records seen. */
const deadShare = 0.01;

/**
 * Stops a task whose input it mostly cannot read: a bad deploy must not drain a topic into the dead letters.
 * A function of the log, like all state: it counts records, not time.
 */
export type Breaker = {
  /** Ordinals of recent dead letters, oldest first; bounded by what trips the breaker. */
  recent: number[];
};

export function createBreaker(recent: readonly number[] = []): Breaker {
  return { recent: [...recent] };
}

/** Notes that record number `ordinal` (from 0) of this task is a dead letter. @returns true when it trips */
export function countDeadLetter(breaker: Breaker, ordinal: number): boolean {
  const { recent } = breaker;
  recent.push(ordinal);
  const from = ordinal - windowRecords;
  while ((recent[0] ?? ordinal) <= from) recent.shift();
  const seen = Math.min(ordinal + 1, windowRecords);
  return recent.length >= deadAtLeast && recent.length > seen * deadShare;
}
