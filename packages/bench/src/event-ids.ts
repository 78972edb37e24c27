import { randomUUID } from "node:crypto";
import { createColumns, type RecordColumns } from "@adstream/engine/columns";
import type { Task } from "@adstream/engine/task";
import { adName } from "./ad-events.ts";

/** What a record costs by what it is, and an id in memory. */
export type IdCosts = {
  readonly ids: number;
  /** Nanoseconds of `Task.apply` for a record: without deduplication, under a new id, and as a redelivery. */
  readonly plainNs: number;
  readonly newIdNs: number;
  readonly redeliveryNs: number;
  readonly memoryBytesPerId: number;
};

const batchRows = 10_000;
const idBytes = 36;
const differentAds = 1_000;

/** Gives a task that deduplicates `ids` events under UUIDs, all of them twice, and the same to one that does not. */
export function applyIds(task: Task, plain: Task, ids: number, timeMs: number): IdCosts {
  const batches: RecordColumns[] = [];
  for (let from = 0; from < ids; from += batchRows) {
    batches.push(batchOf(Math.min(batchRows, ids - from), timeMs, task.job.sumCount));
  }
  const memoryBefore = task.seen?.byteLength ?? 0;
  const plainMs = applyMs(plain, batches);
  const newMs = applyMs(task, batches);
  const memoryBytes = (task.seen?.byteLength ?? 0) - memoryBefore;
  const redeliveryMs = applyMs(task, batches);
  const nanoseconds = (ms: number): number => (ms * 1e6) / ids;
  return {
    ids,
    plainNs: nanoseconds(plainMs),
    newIdNs: nanoseconds(newMs),
    redeliveryNs: nanoseconds(redeliveryMs),
    memoryBytesPerId: memoryBytes / ids,
  };
}

/** Records of a few ads within half a minute, each with an id that nothing else has. */
function batchOf(rows: number, timeMs: number, sumCount: number): RecordColumns {
  const columns = createColumns(sumCount, rows);
  const parts: string[] = [];
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const ad = adName(row % differentAds);
    parts.push(ad, randomUUID());
    columns.keyStart[row] = at;
    columns.keyLength[row] = ad.length;
    columns.idStart[row] = at + ad.length;
    columns.idLength[row] = idBytes;
    columns.eventTime[row] = timeMs + ((row * 31) % 29_989);
    at += ad.length + idBytes;
  }
  columns.recordTime.set(columns.eventTime);
  columns.bytes = Buffer.from(parts.join(""));
  columns.count = rows;
  return columns;
}

/** Time spent in applying alone, ms. */
function applyMs(task: Task, batches: readonly RecordColumns[]): number {
  let spentMs = 0;
  for (const columns of batches) {
    const { nextOffset } = task;
    for (let row = 0; row < columns.count; row++) columns.offset[row] = nextOffset + row;
    const startedAt = performance.now();
    task.apply(columns, nextOffset + columns.count);
    spentMs += performance.now() - startedAt;
    task.output(0, true);
  }
  return spentMs;
}
