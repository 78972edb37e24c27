import { StreamError } from "./errors.ts";

/** Where a task stood when it failed. */
export type InputPlace = {
  readonly topic: string;
  readonly partition: number;
  /** First record of what was worked on, and the next one behind it. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** Where its newest checkpoint begins. */
  readonly checkpointedOffset: number;
};

/**
 * What becomes of failures nobody foresaw. Nothing is skipped: the task is given up and restored from its checkpoint, so
 * that everything behind it is delivered again. Failing a second time before a checkpoint lies behind the failure ends the
 * process: what fails twice on the same records is a bug, and its place in the log is what helps to find it.
 */
export class SecondChances {
  /** Where a partition failed last. */
  readonly #failedAt = new Map<number, InputPlace>();

  /** @returns what ends the process, or undefined when the task is to be restored and tried once more */
  refused(error: unknown, place: InputPlace): StreamError | undefined {
    if (error instanceof StreamError) return error;
    const { topic, partition, firstOffset, nextOffset } = place;
    const before = this.#failedAt.get(partition);
    this.#failedAt.set(partition, place);
    if (before === undefined || gotPast(before, place)) return undefined;
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const text = `${topic} partition ${partition}, offsets ${firstOffset} to ${nextOffset - 1} failed twice: unexpected ${what}`;
    return new StreamError("INTERNAL", "stop", text, { cause: error });
  }
}

/** Results of a decision fail without a record: then the checkpoint at the failure is no progress. */
function gotPast(before: InputPlace, { checkpointedOffset }: InputPlace): boolean {
  return checkpointedOffset >= before.nextOffset && checkpointedOffset > before.checkpointedOffset;
}
