import { type Canary, canaryIn, expectCanary } from "./canary.ts";
import { checkLog } from "./check-log.ts";
import type { CheckpointHeader } from "./checkpoint.ts";
import { dropFirstRow, type RecordColumns } from "./columns.ts";
import type { PartitionInfo } from "./ports.ts";
import type { Task } from "./task.ts";

/** Which log a task reads, and whether its canary is still to be read again and compared. */
export class LogIdentity {
  readonly #info: PartitionInfo;
  readonly #task: Task;
  #verify: Canary | undefined;

  constructor(info: PartitionInfo, task: Task, verify: Canary | undefined) {
    this.#info = info;
    this.#task = task;
    this.#verify = verify;
  }

  /** The log as the task knows it, to be held against the log as it is. */
  get log(): CheckpointHeader["log"] {
    const { clusterId, topic, partitions } = this.#info;
    const { nextOffset, canary = null } = this.#task;
    return { clusterId, topic, partitions, nextOffset, canary };
  }

  /** Where the source must begin: at the canary while that is to be compared, else at the next record. */
  get startOffset(): number {
    return this.#verify?.offset ?? this.#task.nextOffset;
  }

  /**
   * The log may have been replaced during a rejoin, so the canary is compared again.
   * @throws {StreamError} as `checkLog` does
   */
  rejoined(info: PartitionInfo): void {
    const { partition } = this.#task;
    checkLog(info, { partition, log: this.log });
    this.#verify = canaryIn(info, this.#task);
  }

  /**
   * Compares the canary if that is due, and takes it out of the batch.
   * @throws {OperatorHalt} LOG_REPLACED
   */
  compare(columns: RecordColumns): void {
    const expected = this.#verify;
    if (expected === undefined || columns.count === 0) return;
    this.#verify = undefined;
    expectCanary(expected, columns, { topic: this.#info.topic, partition: this.#task.partition });
    dropFirstRow(columns);
  }
}
