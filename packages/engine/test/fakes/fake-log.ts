import type { LogHandler, LogSource, PartitionInfo } from "../../src/ports.ts";
import { columnsOf, type LoggedRecord } from "../logged-records.ts";

/** A topic that several processes read. */
export class FakeLog {
  clusterId = "cluster";
  readonly topic = "events";
  partitions = 1;
  readonly records = new Map<number, LoggedRecord[]>();
  /** First offset still there, and offset behind the last record or marker, where not told by the records. */
  readonly low = new Map<number, number>();
  readonly high = new Map<number, number>();
  readonly committed = new Map<number, number>();

  append(partition: number, ...records: LoggedRecord[]): void {
    this.records.set(partition, (this.records.get(partition) ?? []).concat(records));
  }

  endOf(partition: number): number {
    const last = this.records.get(partition)?.at(-1)?.offset ?? -1;
    return Math.max(last + 1, this.high.get(partition) ?? 0);
  }

  describe(partition: number): PartitionInfo {
    return {
      clusterId: this.clusterId,
      topic: this.topic,
      partitions: this.partitions,
      low: this.low.get(partition) ?? 0,
      high: this.endOf(partition),
      committed: this.committed.get(partition),
    };
  }
}

/** One process as a reader of the log. Nothing comes by itself: `deliver` is a fetch. */
export class FakeSource implements LogSource {
  readonly #log: FakeLog;
  readonly #trace: string[];
  readonly #reading = new Set<number>();
  readonly #positions = new Map<number, number>();
  handler: LogHandler | undefined;
  /** Stands between a question to the broker and its answer. */
  beforeDescribe: () => Promise<void> = async () => {};

  constructor(log: FakeLog, trace: string[]) {
    this.#log = log;
    this.#trace = trace;
  }

  get reading(): number[] {
    return [...this.#reading];
  }

  assign(...partitions: number[]): void {
    this.#reading.clear();
    this.#positions.clear();
    this.handler?.assigned(partitions);
  }

  async describe(partition: number): Promise<PartitionInfo> {
    await this.beforeDescribe();
    return this.#log.describe(partition);
  }

  start(partition: number, offset: number): void {
    this.#trace.push(`start p${partition} at ${offset}`);
    this.#positions.set(partition, offset);
    this.#reading.add(partition);
  }

  pause(partition: number): void {
    this.#trace.push(`pause p${partition}`);
    this.#reading.delete(partition);
  }

  resume(partition: number): void {
    this.#trace.push(`resume p${partition}`);
    if (this.#positions.has(partition)) this.#reading.add(partition);
  }

  async commit(positions: ReadonlyMap<number, number>): Promise<void> {
    for (const [partition, offset] of positions) {
      this.#trace.push(`commit p${partition} ${offset}`);
      this.#log.committed.set(partition, offset);
    }
  }

  /** Hands over what there is for partitions that read, in batches of `size`, and says where the log ends. */
  deliver(size = 10): void {
    for (const partition of this.reading) {
      while (this.#reading.has(partition)) {
        const position = this.#positions.get(partition) ?? 0;
        const all = this.#log.records.get(partition) ?? [];
        const batch = all.filter(({ offset }) => offset >= position).slice(0, size);
        const next = (batch.at(-1)?.offset ?? this.#log.endOf(partition) - 1) + 1;
        if (batch.length === 0) {
          this.handler?.atLogEnd(partition, next);
          break;
        }
        if (this.handler?.apply(partition, columnsOf(batch), next) !== "applied") break;
        this.#positions.set(partition, next);
      }
    }
  }
}
