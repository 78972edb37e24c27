import type { BatchHandler } from "@adstream/kafka/batch-source";
import type { CommittedInfo } from "@adstream/kafka/partition-info";
import type { BatchHeader } from "@adstream/kafka/record-batch";

import type { ConsumerOptions } from "../../src/consume-results.ts";

export type FakeSource = ConsumerOptions["source"] & {
  /** Set while `run` runs. */
  handler: BatchHandler;
  /** Calls of the handler's side, in order. */
  readonly calls: string[];
  readonly infos: Map<number, Partial<CommittedInfo> | Error>;
  /** As committed last. */
  readonly notes: Map<number, string>;
  /** Hands over a batch of `size` records that begins at `offset`; a byte stands for a record. */
  deliver(partition: number, offset: number, size?: number): Promise<"done" | "later">;
};

export function fakeSource(): FakeSource {
  const calls: string[] = [];
  const infos: FakeSource["infos"] = new Map();
  const notes = new Map<number, string>();
  const unset = (): never => {
    throw new Error("the source does not run");
  };
  const source: FakeSource = {
    handler: { assigned: unset, batch: unset, atLogEnd: unset, beforeRejoin: unset },
    calls,
    infos,
    notes,
    async run(handler, signal) {
      source.handler = handler;
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (!signal.aborted) await promise;
      await handler.beforeRejoin(15_000);
    },
    async describe(partition) {
      const info = infos.get(partition) ?? {};
      if (info instanceof Error) throw info;
      const defaults = { low: 0, high: 0, committed: undefined };
      return { clusterId: "c", topic: "results", partitions: 1, ...defaults, ...info };
    },
    start: (partition, offset) => void calls.push(`start ${partition} at ${offset}`),
    pause: (partition) => void calls.push(`pause ${partition}`),
    resume: (partition) => void calls.push(`resume ${partition}`),
    async commit(positions, given) {
      for (const [partition, note] of given ?? []) notes.set(partition, note);
      for (const [partition, offset] of positions) calls.push(`commit ${partition} at ${offset}`);
    },
    deliver(partition, offset, size = 1) {
      return source.handler.batch(partition, new Uint8Array(size), headerOf(offset, size), offset);
    },
  };
  return source;
}

function headerOf(baseOffset: number, recordCount: number): BatchHeader {
  return {
    baseOffset,
    recordCount,
    lastOffsetDelta: recordCount - 1,
    sizeBytes: 0,
    crc: 0,
    codec: "none",
    timestampType: "CreateTime",
    transactional: false,
    control: false,
    baseTimestamp: 0,
    maxTimestamp: 0,
    producerId: -1,
  };
}
