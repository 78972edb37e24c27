import { expect } from "vitest";
import type { LogHandler, ResultLog } from "../../src/ports.ts";
import type { ResultHistory } from "../../src/result-history.ts";
import { type RejectReason, rejectCode } from "../../src/columns.ts";
import { rowsOf } from "../drive-task.ts";
import { type OracleResult, slotName } from "../oracle.ts";

type PublishedRow = OracleResult & { readonly jobEpoch: number; readonly partition: number };

/** The results topic as several versions of the code write it; versions are (epoch, w). */
export class ResultTopic {
  readonly rows: PublishedRow[] = [];
  /** Processes whose results do not get there any more. */
  readonly dead = new Set<string>();
  readonly #said = new Map<string, PublishedRow>();

  log(instance: string): ResultLog {
    return {
      publish: async (output) => {
        if (this.dead.has(instance)) return new Promise(() => {});
        for (const row of rowsOf(output)) {
          const { partition, jobEpoch } = output;
          this.#say({ ...row, jobEpoch, partition });
        }
      },
    };
  }

  history: ResultHistory = {
    published: async (partition, { belowEpoch, above }) => {
      const slots = this.rows
        .filter((row) => row.partition === partition)
        .filter(({ jobEpoch, version }) => jobEpoch < belowEpoch && version > above)
        .map((row) => ({ ...row, key: Buffer.from(row.key) }));
      return { slots, complete: true };
    },
    newestEpoch: async (partition) => {
      const epochs = this.rows
        .filter((row) => row.partition === partition)
        .map(({ jobEpoch }) => jobEpoch);
      return { epoch: epochs.length === 0 ? undefined : Math.max(...epochs), complete: true };
    },
  };

  /** What a sink makes of one partition: the highest version of each slot that holds records. */
  documents(partition = 0): Map<string, OracleResult> {
    const newest = new Map<string, PublishedRow>();
    for (const row of this.rows.filter((one) => one.partition === partition)) {
      const slot = slotName(row.key, row.windowStart);
      const before = newest.get(slot);
      const newer =
        before === undefined ||
        row.jobEpoch > before.jobEpoch ||
        (row.jobEpoch === before.jobEpoch && row.version >= before.version);
      if (newer) newest.set(slot, row);
    }
    return new Map(
      [...newest].flatMap(([slot, { jobEpoch: _epoch, partition: _partition, ...row }]) =>
        row.records === 0 ? [] : [[slot, row]],
      ),
    );
  }

  #say(row: PublishedRow): void {
    const name = `${slotName(row.key, row.windowStart)} p${row.partition} ${row.jobEpoch}|${row.version}`;
    expect([name, this.#said.get(name) ?? row]).toEqual([name, row]);
    this.#said.set(name, row);
    this.rows.push(row);
  }
}

/** Code that refuses what the code before it counted: records whose first value is odd. */
export function refusingOdd(handler: LogHandler, reason: RejectReason): LogHandler {
  return {
    assigned: (partitions) => handler.assigned(partitions),
    apply(partition, columns, nextOffset) {
      for (let row = 0; row < columns.count; row++) {
        if ((columns.values[0]?.[row] ?? 0) % 2 !== 0) columns.rejected[row] = rejectCode(reason);
      }
      return handler.apply(partition, columns, nextOffset);
    },
    atLogEnd: (partition, nextOffset) => handler.atLogEnd(partition, nextOffset),
    schemaUnknown: (partition, schemaId) => handler.schemaUnknown(partition, schemaId),
    unknownSchemas: (partition) => handler.unknownSchemas(partition),
    beforeRejoin: (budgetMs) => handler.beforeRejoin(budgetMs),
  };
}
