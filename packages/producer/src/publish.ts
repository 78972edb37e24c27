import { channel } from "node:diagnostics_channel";
import type { Pace } from "./pace.ts";
import type { Tally } from "./tally.ts";
import type { RecordBlocks } from "@adstream/kafka/record-blocks";
import type { Clock } from "@adstream/service/system-clock";

/** When a record is due, and when it is sent; epoch ms. */
export type Moment = { readonly dueMs: number; readonly sentMs: number };

export type Traffic = {
  /** Where records are written until they are sent. */
  readonly blocks: RecordBlocks;
  /** Writes the next record of the traffic and counts it. */
  readonly append: (blocks: RecordBlocks, at: Moment, tally: Tally) => void;
  readonly pace: Pace;
  /** Stop after so many records. */
  readonly count: number;
  /** Resolves when the log has acknowledged all of them, and empties the blocks. */
  readonly publish: (blocks: RecordBlocks) => Promise<void>;
  readonly tally: Tally;
  readonly clock: Clock;
};

/** Records become due all the time; sending them in batches of a tick is what makes the client fast. */
const tickMs = 10;
/** An idle producer still looks at its signal and its clock. */
const maxSleepMs = 1_000;
/** Bounds how long the signal waits behind a catch-up. */
const maxBatchRecords = 5_000;

/** Milestones for tests that stop the process there: records exist in memory only; the log has acknowledged them. */
const generated = channel("adstream:producer:generated");
const acknowledged = channel("adstream:producer:acknowledged");

/**
 * Sends records as they become due until `count` of them are acknowledged, the schedule is at its end or the signal is
 * aborted. One batch is in flight at a time (protocol K1); while the log does not acknowledge, the pace keeps what is
 * due, within its bound.
 */
export async function publishTraffic(traffic: Traffic, signal: AbortSignal): Promise<void> {
  const { pace, tally, clock, count } = traffic;
  while (!signal.aborted && tally.records < count) {
    const nowMs = clock.nowMs();
    const dueMs = pace.take(nowMs, Math.min(maxBatchRecords, count - tally.records));
    if (dueMs.length > 0) await sendDue(traffic, dueMs, clock.wallMs() - nowMs);
    const nextMs = pace.nextMs();
    if (tally.records >= count || nextMs === Number.POSITIVE_INFINITY) return;
    if (dueMs.length === maxBatchRecords) continue;
    const waitMs = Math.max(nowMs + tickMs, nextMs) - clock.nowMs();
    if (waitMs > 0) await clock.sleep(Math.min(waitMs, maxSleepMs), signal);
  }
}

/** @param toWallMs from the pace's clock to Unix time */
async function sendDue(traffic: Traffic, due: readonly number[], toWallMs: number): Promise<void> {
  const { blocks, append, tally, clock } = traffic;
  let sentMs = clock.wallMs();
  for (const dueMs of due) {
    if (blocks.full) {
      await send(traffic);
      sentMs = clock.wallMs();
    }
    append(blocks, { dueMs: toWallMs + dueMs, sentMs }, tally);
  }
  await send(traffic);
}

async function send({ blocks, publish, tally }: Traffic): Promise<void> {
  generated.publish(undefined);
  await publish(blocks);
  acknowledged.publish(undefined);
  tally.acknowledge();
}
