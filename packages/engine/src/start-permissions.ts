import type { AcceptedDeadLetters } from "./accept-dead-letters.ts";
import { absentOperator, type Operator } from "./operator.ts";
import { OperatorHalt, TooManyDeadLetters } from "./operator-halt.ts";
import type { RunOptions } from "./run-options.ts";

/** What was found while a task ran and is accepted: its next take-over goes on over it. */
export type Lifted = {
  /** The source met another record than the canary: the log was made again. */
  readonly replaced?: OperatorHalt | undefined;
  readonly deadLetters?: AcceptedDeadLetters | undefined;
};

/**
 * What an operator allowed at the start of this process, by partition. It is for what is found at the start: once a
 * partition has taken records something else may be wrong.
 */
export class StartPermissions {
  readonly #options: Pick<RunOptions, "operator" | "events">;
  /** Partitions that took records: what was allowed at the start is over for them. */
  readonly #underWay = new Set<number>();
  /** Where the log ended at the start, of partitions whose dead letters below that are accepted. */
  readonly #deadBefore = new Map<number, number>();
  readonly #lifted = new Map<number, Lifted>();

  constructor(options: Pick<RunOptions, "operator" | "events">) {
    this.#options = options;
  }

  of(partition: number): Operator {
    const { operator = absentOperator, events } = this.#options;
    return {
      permits: (flag) => !this.#underWay.has(partition) && operator.permits(flag),
      async audit(decision) {
        await operator.audit(decision);
        events.operatorDecided?.(decision);
      },
    };
  }

  /** A take-over begins, in a log that ends at `high`: what comes later was not there for the operator to see. */
  takingOver(partition: number, high: number): void {
    if (this.of(partition).permits("accept-dead-letters")) this.#deadBefore.set(partition, high);
  }

  tookRecords(partition: number): void {
    this.#underWay.add(partition);
  }

  /** @returns whether to take the task over again, since the operator accepts why it stopped */
  lifts(error: unknown, partition: number): boolean {
    if (!(error instanceof OperatorHalt)) return false;
    if (error instanceof TooManyDeadLetters) {
      const before = this.#deadBefore.get(partition) ?? 0;
      if (error.offset >= before) return false;
      // It may have been the first batch; what comes while the task is taken over again is judged all the same.
      this.#underWay.add(partition);
      this.#lifted.set(partition, { deadLetters: { halt: error, before } });
      return true;
    }
    const accepted = error.flag === "accept-new-log" && this.of(partition).permits(error.flag);
    if (accepted) this.#lifted.set(partition, { replaced: error });
    return accepted;
  }

  lifted(partition: number): Lifted {
    return this.#lifted.get(partition) ?? {};
  }

  /** The task was taken over, with what was lifted. */
  tookOver(partition: number): void {
    this.#lifted.delete(partition);
  }
}
