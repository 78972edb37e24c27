import { channel } from "node:diagnostics_channel";
import { valueOf } from "./bad-records.ts";
import { requireSound } from "./sound-event.ts";
import type { Emission } from "./ad-events.ts";
import type { Encoder } from "./bad-records.ts";
import type { Pace } from "./pace.ts";
import type { Tally } from "./tally.ts";
import type { Clock } from "@adstream/service/system-clock";

/** A record on its way to the log; the key decides the partition. */
export type Outgoing = {
  readonly topic: string;
  readonly key: string;
  readonly value: Uint8Array | null;
};

export type Traffic = {
  readonly topic: string;
  readonly next: (nowMs: number) => Emission;
  readonly encoder: Encoder;
  readonly pace: Pace;
  /** Stop after so many records. */
  readonly count: number;
  /** Resolves when the log has acknowledged all of them. */
  readonly publish: (records: readonly Outgoing[]) => Promise<void>;
  readonly tally: Tally;
  readonly clock: Clock;
};

/** Records become due all the time; sending them in batches of a tick is what makes the client fast. */
const tickMs = 10;
/** An idle producer still looks at its signal and its clock. */
const maxSleepMs = 1_000;
/** Bounds what a catch-up holds in memory; 5,000 records are well under 1 MiB. */
const maxBatchRecords = 5_000;

/** Milestones for tests that stop the process there: records exist in memory only; the log has acknowledged them. */
const generated = channel("adstream:producer:generated");
const acknowledged = channel("adstream:producer:acknowledged");

/**
 * Sends records as they become due until `count` of them are acknowledged or the signal is aborted. One batch is in
 * flight at a time (protocol K1); while the log does not acknowledge, the pace keeps what is due, within its bound.
 */
export async function publishTraffic(traffic: Traffic, signal: AbortSignal): Promise<void> {
  const { pace, publish, tally, clock, count } = traffic;
  while (!signal.aborted && tally.records < count) {
    const nowMs = clock.nowMs();
    const dueMs = pace.take(nowMs, Math.min(maxBatchRecords, count - tally.records));
    if (dueMs.length > 0) {
      const toWallMs = clock.wallMs() - nowMs;
      const emissions = dueMs.map((atMs) => traffic.next(Math.floor(toWallMs + atMs)));
      const records = emissions.map((emission) => outgoing(emission, traffic));
      generated.publish(undefined);
      await publish(records);
      acknowledged.publish(undefined);
      for (const emission of emissions) tally.add(emission);
    }
    if (tally.records >= count) return;
    const waitMs = Math.max(nowMs + tickMs, pace.nextMs()) - clock.nowMs();
    if (waitMs > 0) await clock.sleep(Math.min(waitMs, maxSleepMs), signal);
  }
}

function outgoing({ event, flaw }: Emission, { topic, encoder }: Traffic): Outgoing {
  if (flaw === undefined) requireSound(event);
  return { topic, key: event.ad_id, value: valueOf(event, flaw, encoder) };
}
