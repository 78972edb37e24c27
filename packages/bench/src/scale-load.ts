import { createColumns, type RecordColumns } from "@adstream/engine/columns";
import type { Task } from "@adstream/engine/task";
import { adName, randomBelow } from "./ad-events.ts";

/** About what a fetch of half a MiB holds. */
const batchRows = 8_192;
const longestName = 24;

/** Events of ads as a decoder hands them over: keys lie somewhere in the bytes of the batch. */
export class ScaleLoad {
  /** CPU time spent in `Task.apply`. */
  applyMs = 0;
  /** Of one batch, with all growth of tables in it. */
  longestBatchMs = 0;
  events = 0;
  readonly #task: Task;
  readonly #columns: RecordColumns;
  readonly #bytes = Buffer.alloc(batchRows * longestName);
  readonly #random = randomBelow(1);
  #at = 0;

  constructor(task: Task) {
    this.#task = task;
    this.#columns = createColumns(task.job.sumCount, batchRows);
    this.#columns.bytes = this.#bytes;
  }

  /** An event of `ad` somewhere within `spanMs` from `fromMs` on, applied with its batch. @returns its first number */
  add(ad: number, fromMs: number, spanMs: number): number {
    const columns = this.#columns;
    const row = columns.count++;
    const length = this.#bytes.write(adName(ad), this.#at, "latin1");
    columns.keyStart[row] = this.#at;
    columns.keyLength[row] = length;
    this.#at += length;
    const time = fromMs + this.#random(spanMs);
    columns.eventTime[row] = time;
    columns.recordTime[row] = time;
    columns.offset[row] = this.#task.nextOffset + row;
    for (const [index, column] of columns.values.entries()) {
      column[row] = index === 2 ? this.#random(1_000) / 100 : this.#random(50);
    }
    const first = columns.values[0]?.[row] ?? 0;
    if (columns.count === batchRows) this.flush();
    return first;
  }

  /** Applies what is waiting. */
  flush(): void {
    const task = this.#task;
    const columns = this.#columns;
    const startedAt = performance.now();
    const cpuBefore = process.threadCpuUsage();
    task.apply(columns, task.nextOffset + columns.count);
    const { user, system } = process.threadCpuUsage(cpuBefore);
    this.longestBatchMs = Math.max(this.longestBatchMs, performance.now() - startedAt);
    this.applyMs += (user + system) / 1_000;
    this.events += columns.count;
    columns.count = 0;
    this.#at = 0;
  }
}
