import { setImmediate as nextTurn } from "node:timers/promises";

import { StreamError } from "@adstream/engine/errors";
import type { EachBatchPayload } from "kafkajs";

import { uncommittedBatches } from "./aborted-transactions.ts";
import type { AssignedPartition } from "./assigned-partitions.ts";
import type { BatchHandler } from "./batch-source.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { type BatchHeader, readBatchHeader } from "./record-batch.ts";

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

/** Some 6,000 records, less than a millisecond. */
const turnBytes = 256 * 1024;

/**
 * Hands the batches of one fetch to the handler, in order, and moves the position behind each that it took. What is left
 * stays unresolved, so kafkajs fetches it again.
 *
 * In between the event loop gets its turns: what the broker sends ahead is read, so that it goes on sending, and no timer
 * waits for the megabytes of a whole fetch.
 *
 * @throws {StreamError} OFFSET_GAP, LOG_REPLACED, BATCH_CORRUPT, CLOCK_STEPPED_BACK
 */
export async function deliver(delivery: Delivery): Promise<void> {
  const { payload, assigned, handler, beats } = delivery;
  const { batch } = payload;
  const { partition, highWatermark, raw } = batch;
  if (raw === undefined) throw new StreamError("INTERNAL", "stop", "kafkajs is not patched");
  assigned.checkClock();
  checkPosition(delivery, raw.fetchedOffset);
  assigned.end = Number(highWatermark);
  const stableEnd = Number(raw.lastStableOffset ?? -1);
  assigned.stableEnd = stableEnd >= 0 && stableEnd < assigned.end ? stableEnd : undefined;
  const { starts } = assigned;
  let bytesOfTurn = 0;
  const uncommitted = uncommittedBatches(raw.abortedTransactions);
  for (const { value: bytes } of batch.messages) {
    if (bytes === null) throw new StreamError("INTERNAL", "stop", "kafkajs is not patched");
    const header = readBatchHeader(bytes);
    const { baseOffset } = header;
    const lastOffset = baseOffset + header.lastOffsetDelta;
    checkContinuity(delivery, baseOffset);
    checkMark(delivery, raw.fetchedOffset, header);
    if (!uncommitted(header, bytes) && lastOffset >= assigned.next) {
      const { resumes } = assigned;
      const outcome = await beats.during(handler.batch(partition, bytes, header, assigned.next));
      if (!delivery.current() || assigned.starts !== starts) return;
      if (outcome === "later") {
        if (assigned.resumes === resumes) assigned.paused = true;
        return;
      }
    }
    if (lastOffset >= assigned.next && !delivery.compacted)
      assigned.last = { baseOffset, crc: header.crc };
    assigned.next = Math.max(assigned.next, lastOffset + 1);
    payload.resolveOffset(String(assigned.next - 1));
    await beats.beat();
    bytesOfTurn += bytes.length;
    if (bytesOfTurn >= turnBytes) {
      bytesOfTurn = 0;
      await nextTurn();
    }
    if (beats.failure !== undefined || assigned.paused) return;
    if (!delivery.current() || assigned.starts !== starts) return;
  }
  if (assigned.recheck !== undefined) return;
  if (assigned.next >= Number(highWatermark)) handler.atLogEnd(partition, assigned.next);
}

/** kafkajs fetches elsewhere than from our position only when it reset its own, or after a `start` it has not seen. */
function checkPosition({ payload, assigned }: Delivery, fetchedOffset: string): void {
  const fetched = Number(fetchedOffset);
  if (fetched === assigned.next || fetched === assigned.recheck?.offset) return;
  const { topic, partition } = payload.batch;
  const text = `${topic} partition ${partition} was read from offset ${fetchedOffset} instead of ${assigned.next}`;
  throw new StreamError("OFFSET_GAP", "stop", text);
}

/**
 * The first batch of a fetch that was made to read it once more is the one it was. And none reaches across the end of one
 * that was read, since batches keep their bounds.
 */
function checkMark(
  { payload, assigned }: Delivery,
  fetchedOffset: string,
  found: BatchHeader,
): void {
  const { recheck, last, next } = assigned;
  const { baseOffset, lastOffsetDelta, crc } = found;
  const again = recheck !== undefined && Number(fetchedOffset) === recheck.offset;
  if (again) assigned.recheck = undefined;
  const across = last !== undefined && baseOffset < next && baseOffset + lastOffsetDelta >= next;
  const same = again ? baseOffset === recheck.mark.baseOffset && crc === recheck.mark.crc : !across;
  if (same) return;
  const { topic, partition } = payload.batch;
  const offset = again ? recheck.offset : next - 1;
  const text =
    `${topic} partition ${partition} holds another batch at offset ${offset} than the one read before: ` +
    "the topic was made again while it was read";
  throw new StreamError("LOG_REPLACED", "stop", text);
}

function checkContinuity({ payload, assigned, compacted }: Delivery, baseOffset: number): void {
  if (baseOffset <= assigned.next || compacted) return;
  const { topic, partition } = payload.batch;
  const text = `${topic} partition ${partition} goes on at offset ${baseOffset} instead of ${assigned.next}`;
  throw new StreamError("OFFSET_GAP", "stop", text);
}
