import { channel } from "node:diagnostics_channel";
import type { Pace } from "./pace.ts";
import type { Tally } from "./tally.ts";
import type { RecordBlocks } from "@adstream/kafka/record-blocks";
import type { Clock } from "@adstream/service/system-clock";

/** When a record is due, and when it is written to be sent next; epoch ms. */
export type Moment = { readonly dueMs: number; readonly sentMs: number };

export type Traffic = {
  /** Filled in turns: the one is written while the other is on its way. */
  readonly blocks: readonly [RecordBlocks, RecordBlocks];
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
 * aborted. One batch is in flight at a time (protocol K1), and the next one is written meanwhile; while the log does not
 * acknowledge, the pace keeps what is due, within its bound.
 */
export async function publishTraffic(traffic: Traffic, signal: AbortSignal): Promise<void> {
  const { pace, clock, count } = traffic;
  const failing = new AbortController();
  const ending = AbortSignal.any([signal, failing.signal]);
  const batches = new Batches(traffic, () => failing.abort());
  for (let taken = 0; !ending.aborted && taken < count;) {
    const nowMs = clock.nowMs();
    const dueMs = pace.take(nowMs, Math.min(maxBatchRecords, count - taken));
    taken += dueMs.length;
    if (dueMs.length > 0) await writeDue(traffic, batches, dueMs, clock.wallMs() - nowMs);
    const nextMs = pace.nextMs();
    if (nextMs === Number.POSITIVE_INFINITY) break;
    if (dueMs.length === maxBatchRecords) continue;
    const waitMs = Math.max(nowMs + tickMs, nextMs) - clock.nowMs();
    if (taken < count && waitMs > 0) await clock.sleep(Math.min(waitMs, maxSleepMs), ending);
  }
  await batches.acknowledged();
}

/** @param toWallMs from the pace's clock to Unix time */
async function writeDue(
  { append, tally, clock }: Traffic,
  batches: Batches,
  due: readonly number[],
  toWallMs: number,
): Promise<void> {
  let sentMs = clock.wallMs();
  for (const dueMs of due) {
    if (batches.filling.full) {
      await batches.send();
      sentMs = clock.wallMs();
    }
    append(batches.filling, { dueMs: toWallMs + dueMs, sentMs }, tally);
  }
  await batches.send();
}

/** One batch on its way, and one that is being written. */
class Batches {
  readonly #traffic: Traffic;
  readonly #failed: () => void;
  #filling: RecordBlocks;
  #spare: RecordBlocks;
  #sending: Promise<void> = Promise.resolve();

  /** @param failed called when a batch was not acknowledged; the next call of `send` or `acknowledged` says why */
  constructor(traffic: Traffic, failed: () => void) {
    this.#traffic = traffic;
    this.#failed = failed;
    [this.#filling, this.#spare] = traffic.blocks;
  }

  get filling(): RecordBlocks {
    return this.#filling;
  }

  /** Puts what was written on its way as soon as the batch before is acknowledged, and resolves then. */
  async send(): Promise<void> {
    await this.#sending;
    const full = this.#filling;
    this.#filling = this.#spare;
    this.#spare = full;
    this.#sending = this.#publish(full);
    this.#sending.catch(this.#failed);
  }

  /** Resolves when all that was sent is acknowledged. */
  acknowledged(): Promise<void> {
    return this.#sending;
  }

  async #publish(full: RecordBlocks): Promise<void> {
    const { publish, tally } = this.#traffic;
    const count = tally.cut();
    generated.publish(undefined);
    await publish(full);
    acknowledged.publish(undefined);
    count();
  }
}
