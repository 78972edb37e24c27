import { StreamError } from "@adstream/engine/errors";
import type { EachBatchPayload } from "kafkajs";

import { uncommittedBatches } from "./aborted-transactions.ts";
import type { AssignedPartition } from "./assigned-partitions.ts";
import type { BatchHandler } from "./batch-source.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { readBatchHeader } from "./record-batch.ts";

/** One fetch of one partition, and what decides about it. */
export type Delivery = {
  readonly payload: EachBatchPayload;
  readonly assigned: AssignedPartition;
  readonly handler: BatchHandler;
  readonly beats: Heartbeats;
  /** Gaps between offsets are no loss. */
  readonly compacted: boolean;
  /** Still the assignment that the fetch was made for, and it is wanted. */
  readonly current: () => boolean;
};

/**
 * Hands the batches of one fetch to the handler, in order, and moves the position behind each that it took. What is left
 * stays unresolved, so kafkajs fetches it again.
 *
 * @throws {StreamError} OFFSET_GAP, BATCH_CORRUPT
 */
export async function deliver(delivery: Delivery): Promise<void> {
  const { payload, assigned, handler, beats } = delivery;
  const { batch } = payload;
  const { partition, highWatermark, raw } = batch;
  if (raw === undefined) throw new StreamError("INTERNAL", "stop", "kafkajs is not patched");
  checkPosition(delivery, raw.fetchedOffset);
  assigned.end = Number(highWatermark);
  const { starts } = assigned;
  const uncommitted = uncommittedBatches(raw.abortedTransactions);
  for (const { value: bytes } of batch.messages) {
    if (bytes === null) throw new StreamError("INTERNAL", "stop", "kafkajs is not patched");
    const header = readBatchHeader(bytes);
    const { baseOffset } = header;
    const lastOffset = baseOffset + header.lastOffsetDelta;
    checkContinuity(delivery, baseOffset);
    if (!uncommitted(header, bytes) && lastOffset >= assigned.next) {
      const { resumes } = assigned;
      const outcome = await beats.during(handler.batch(partition, bytes, header, assigned.next));
      if (!delivery.current() || assigned.starts !== starts) return;
      if (outcome === "later") {
        if (assigned.resumes === resumes) assigned.paused = true;
        return;
      }
    }
    assigned.next = Math.max(assigned.next, lastOffset + 1);
    payload.resolveOffset(String(assigned.next - 1));
    await beats.beat();
    if (beats.failure !== undefined || assigned.paused) return;
    if (!delivery.current() || assigned.starts !== starts) return;
  }
  if (assigned.next >= Number(highWatermark)) handler.atLogEnd(partition, assigned.next);
}

/** kafkajs fetches elsewhere than from our position only when it reset its own, or after a `start` it has not seen. */
function checkPosition({ payload, assigned }: Delivery, fetchedOffset: string): void {
  if (Number(fetchedOffset) === assigned.next) return;
  const { topic, partition } = payload.batch;
  const text = `${topic} partition ${partition} was read from offset ${fetchedOffset} instead of ${assigned.next}`;
  throw new StreamError("OFFSET_GAP", "stop", text);
}

function checkContinuity({ payload, assigned, compacted }: Delivery, baseOffset: number): void {
  if (baseOffset <= assigned.next || compacted) return;
  const { topic, partition } = payload.batch;
  const text = `${topic} partition ${partition} goes on at offset ${baseOffset} instead of ${assigned.next}`;
  throw new StreamError("OFFSET_GAP", "stop", text);
}
