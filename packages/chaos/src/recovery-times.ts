import type { LogEntry, Who as Process } from "./fleet.ts";

/** How the work of one task went on after its process was hit. */
export type Recovery = {
  readonly partition: number;
  readonly fault: "kill" | "freeze";
  /** From the fault to the first result that was published afterwards, by whomever. */
  readonly totalMs: number;
  /** From the fault until the last assignment of the partition before that result; undefined: it was not given away. */
  readonly assignedMs: number | undefined;
  /** From the fault until the task was claimed and restored; undefined as above. */
  readonly acquiredMs: number | undefined;
  /** Faults of other processors meanwhile. */
  readonly disturbed: number;
};

type Open = {
  readonly partition: number;
  readonly fault: Recovery["fault"];
  readonly at: number;
  assignedAt: number | undefined;
  acquiredAt: number | undefined;
  disturbed: number;
};

type Who = Pick<Process, "name" | "lifetime">;

/** Measures by the processors' own logs (at debug), whose times are those of the machine, not of our reading. */
export class RecoveryTimes {
  readonly #owners = new Map<number, string>();
  #open: Open[] = [];
  readonly recoveries: Recovery[] = [];

  /** Tasks that were hit and have not published since. */
  get waiting(): readonly { readonly partition: number; readonly sinceMs: number }[] {
    return this.#open.map(({ partition, at }) => ({ partition, sinceMs: Date.now() - at }));
  }

  /** A processor is hit now, at `at` (epoch ms). */
  fault(who: Who, fault: Recovery["fault"], at: number): void {
    for (const open of this.#open) open.disturbed += 1;
    for (const [partition, owner] of this.#owners) {
      if (owner !== keyOf(who)) continue;
      const none = undefined;
      this.#open.push({ partition, fault, at, assignedAt: none, acquiredAt: none, disturbed: 0 });
    }
  }

  /** A line of a processor's log. */
  see(who: Who, { msg, time, partition, partitions, results }: LogEntry): void {
    const at = Date.parse(String(time));
    if (msg === "partitions assigned" && Array.isArray(partitions)) {
      for (const one of partitions.map(Number)) {
        this.#owners.set(one, keyOf(who));
        this.#each(one, at, (open) => (open.assignedAt = at));
      }
    } else if (msg === "task acquired") {
      this.#each(Number(partition), at, (open) => (open.acquiredAt = at));
    } else if (msg === "results published" && Number(results) > 0) {
      this.#each(Number(partition), at, (open) => this.#close(open, at));
    }
  }

  #each(partition: number, at: number, change: (open: Open) => void): void {
    for (const open of this.#open) {
      // The dead may have written this before; we read it only now.
      if (open.partition === partition && at > open.at) change(open);
    }
  }

  #close(open: Open, at: number): void {
    this.#open = this.#open.filter((other) => other !== open);
    const since = (time: number | undefined): number | undefined =>
      time === undefined ? undefined : time - open.at;
    const { partition, fault, disturbed } = open;
    const assignedMs = since(open.assignedAt);
    const acquiredMs = since(open.acquiredAt);
    this.recoveries.push({
      partition,
      fault,
      totalMs: at - open.at,
      assignedMs,
      acquiredMs,
      disturbed,
    });
  }
}

function keyOf({ name, lifetime }: Who): string {
  return `${name}#${lifetime}`;
}
