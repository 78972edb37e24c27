import type { Random } from "./random.ts";

/** Offsets of one record batch, `end` not included. */
export type BatchBounds = { readonly baseOffset: number; readonly end: number };

/** Ends of batches, ascending, by log: a log made again has batches of its own. */
const endsOf = new WeakMap<readonly unknown[], number[]>();

/** The batch that holds an offset of the log: cut at random when it is read first, and the same ever after. */
export function batchAt(entries: readonly unknown[], offset: number, random: Random): BatchBounds {
  const ends = endsOf.get(entries) ?? [];
  endsOf.set(entries, ends);
  while ((ends.at(-1) ?? 0) <= offset && (ends.at(-1) ?? 0) < entries.length) {
    ends.push(Math.min(entries.length, (ends.at(-1) ?? 0) + random.between(1, 12)));
  }
  const at = ends.findIndex((end) => end > offset);
  return { baseOffset: ends[at - 1] ?? 0, end: ends[at] ?? offset };
}
