import { RecordBlocks } from "@adstream/kafka/record-blocks";
import { expect, test } from "vitest";
import { arrivalGaps, arrivalModels } from "@adstream/traffic/arrivals";
import { openPace } from "../src/pace.ts";
import { publishTraffic } from "../src/publish.ts";
import { randomAt } from "@adstream/traffic/random";
import { openTally } from "../src/tally.ts";
import type { Clock } from "@adstream/service/system-clock";
import type { ArrivalModel } from "@adstream/traffic/arrivals";
import type { Moment, Traffic } from "../src/publish.ts";

const wallStartMs = 1_700_000_000_000;

/** Time passes only by sleeping, or when a test says so. */
class HandClock implements Clock {
  elapsedMs = 0;
  nowMs(): number {
    return this.elapsedMs;
  }
  wallMs(): number {
    return wallStartMs + Math.floor(this.elapsedMs);
  }
  async sleep(delayMs: number): Promise<void> {
    this.elapsedMs += delayMs;
  }
}

/** One publish: when, and the moments of its records, all in ms since the start. */
type Sent = { readonly atMs: number; readonly moments: readonly Moment[] };

type Setting = { readonly rate: number; readonly count: number; readonly model?: ArrivalModel };

function traffic(clock: HandClock, { rate, count, model = "uniform" }: Setting): [Traffic, Sent[]] {
  const sent: Sent[] = [];
  let appended: Moment[] = [];
  const value = Buffer.alloc(100);
  return [
    {
      blocks: [new RecordBlocks("events", 2), new RecordBlocks("events", 2)],
      append(blocks, { dueMs, sentMs }, tally) {
        blocks.append(Buffer.from(`k${appended.length % 7}`), value);
        tally.add({ kind: "event", repeat: false, timing: "on time" });
        appended.push({ dueMs: dueMs - wallStartMs, sentMs: sentMs - wallStartMs });
      },
      pace: openPace({
        gaps: arrivalGaps(model, rate, randomAt(1, 0)),
        startMs: 0,
        maxBehindMs: 5_000,
      }),
      count,
      async publish(blocks) {
        sent.push({ atMs: clock.elapsedMs, moments: appended });
        expect(blocks.records).toBe(appended.length);
        appended = [];
        blocks.clear();
      },
      tally: openTally(),
      clock,
    },
    sent,
  ];
}

const running = new AbortController().signal;

function sizes(sent: readonly Sent[]): number[] {
  return sent.map(({ moments }) => moments.length);
}

function total(sent: readonly Sent[]): number {
  return sizes(sent).reduce((sum, size) => sum + size, 0);
}

test("sends exactly as many records as asked for, at the rate", async () => {
  const clock = new HandClock();
  const [all, sent] = traffic(clock, { rate: 20_000, count: 99_999 });
  await publishTraffic(all, running);
  expect(total(sent)).toBe(99_999);
  expect(all.tally.records).toBe(99_999);
  expect(clock.elapsedMs).toBeGreaterThan(4_950);
  expect(clock.elapsedMs).toBeLessThan(5_050);
});

test.each(arrivalModels)(
  "%s: a slow log and hiccups of seconds shift nothing: any 10 s hold what the schedule has for them",
  async (model) => {
    const clock = new HandClock();
    const [all, sent] = traffic(clock, { rate: 20_000, count: 300_000, model });
    let sends = 0;
    const publish: Traffic["publish"] = async (blocks) => {
      await all.publish(blocks);
      clock.elapsedMs += ++sends % 100 === 0 ? 1_500 : 4;
    };
    await publishTraffic({ ...all, publish }, running);
    const gaps = arrivalGaps(model, 20_000, randomAt(1, 0));
    const dueMs: number[] = [];
    for (let at = 0; dueMs.length < 300_000; at += gaps()) dueMs.push(at);
    const moments = sent.flatMap((batch) => batch.moments);
    expect(moments.every((one, index) => Math.abs(one.dueMs - (dueMs[index] ?? 0)) <= 1)).toBe(
      true,
    );
    // Sent at most one hiccup and its catching up after they were due; never before.
    for (const { dueMs: at, sentMs } of moments) {
      if (sentMs < at - 1 || sentMs > at + 2_000) expect([at, sentMs]).toBe("on time");
    }
    expect(all.pace.skippedMs()).toBe(0);
  },
);

test("batches of a tick: neither a send per record nor one that is too large", async () => {
  const [all, sent] = traffic(new HandClock(), { rate: 20_000, count: 20_000 });
  await publishTraffic(all, running);
  expect(Math.max(...sizes(sent).slice(1))).toBeLessThanOrEqual(201);
  expect(sent.length).toBeLessThan(110);
});

test("after a hiccup the backlog goes out at once in bounded batches: due when it was, sent now", async () => {
  const clock = new HandClock();
  const [all, sent] = traffic(clock, { rate: 10_000, count: 60_000 });
  let hiccups = 1;
  const publish: Traffic["publish"] = async (blocks) => {
    await all.publish(blocks);
    if (sent.length === 100 && hiccups-- > 0) clock.elapsedMs += 3_000;
  };
  await publishTraffic({ ...all, publish }, running);
  expect(clock.elapsedMs).toBeLessThan(6_050);
  expect(Math.max(...sizes(sent))).toBe(5_000);
  const full = sent.filter(({ moments }) => moments.length === 5_000);
  expect(new Set(full.map(({ atMs }) => atMs)).size).toBe(1);
  const moments = sent.flatMap((batch) => batch.moments);
  const dues = moments.map(({ dueMs }) => dueMs);
  expect(dues).toEqual(dues.toSorted((a, b) => a - b));
  expect(Math.max(...dues.slice(1).map((at, index) => at - (dues[index] ?? 0)))).toBeLessThan(1.2);
  for (const { atMs, moments: its } of sent) {
    expect(new Set(its.map(({ sentMs }) => sentMs))).toEqual(new Set([Math.floor(atMs)]));
  }
});

test("a full block is sent before the next record is written, which is sent later", async () => {
  const clock = new HandClock();
  const [all] = traffic(clock, { rate: 1_000, count: 100 });
  clock.elapsedMs = 99;
  const value = Buffer.alloc(300_000);
  const sentMs: number[] = [];
  const append: Traffic["append"] = (blocks, at, tally) => {
    blocks.append(Buffer.from("k"), value);
    tally.add({ kind: "event", repeat: false, timing: "on time" });
    sentMs.push(at.sentMs - wallStartMs);
  };
  const publish: Traffic["publish"] = async (blocks) => {
    expect(blocks.records).toBe(2);
    clock.elapsedMs += 5;
    blocks.clear();
  };
  await publishTraffic({ ...all, append, publish }, running);
  expect(sentMs).toEqual(Array.from({ length: 100 }, (_, index) => 99 + 5 * (index >> 1)));
});

test("nothing is sent before it is due", async () => {
  const clock = new HandClock();
  const [all, sent] = traffic(clock, { rate: 30, count: 100 });
  await publishTraffic(all, running);
  for (const { atMs, moments } of sent) {
    for (const { dueMs } of moments) expect(dueMs).toBeLessThanOrEqual(atMs);
  }
});

test("it ends where the schedule does", async () => {
  const clock = new HandClock();
  const [all, sent] = traffic(clock, { rate: 1_000, count: Number.POSITIVE_INFINITY });
  const gaps = arrivalGaps("uniform", 1_000, randomAt(1, 0));
  const pace = openPace({ gaps, startMs: 0, durationMs: 2_500, maxBehindMs: 5_000 });
  await publishTraffic({ ...all, pace }, running);
  expect(total(sent)).toBe(2_500);
});

test("one batch is in flight at a time", async () => {
  const [all] = traffic(new HandClock(), { rate: 1_000, count: 500 });
  let inFlight = 0;
  const publish: Traffic["publish"] = async (blocks) => {
    expect(++inFlight).toBe(1);
    await Promise.resolve();
    await all.publish(blocks);
    inFlight--;
  };
  await publishTraffic({ ...all, publish }, running);
});

test("while a batch is in flight the next one is written, into the other blocks, and not sent", async () => {
  const clock = new HandClock();
  const [all] = traffic(clock, { rate: 1_000, count: 100 });
  const inFlight: { blocks: RecordBlocks; acknowledge: () => void }[] = [];
  let written = 0;
  const append: Traffic["append"] = (blocks, at, tally) => {
    written++;
    expect(blocks).not.toBe(inFlight.at(-1)?.blocks);
    all.append(blocks, at, tally);
  };
  const publish: Traffic["publish"] = (blocks) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const acknowledge = (): void => {
      blocks.clear();
      resolve();
    };
    inFlight.push({ blocks, acknowledge });
    return promise;
  };
  let over = false;
  const published = publishTraffic({ ...all, append, publish }, running).then(() => (over = true));
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect([inFlight.length, written]).toEqual([1, 11]);
  expect(all.tally.records).toBe(0);
  inFlight[0]?.acknowledge();
  await turn();
  expect([inFlight.length, written]).toEqual([2, 21]);
  expect(all.tally.records).toBe(1);
  // Until the last of them is written.
  for (let batch = 0; batch < 8; batch++) {
    inFlight.at(-1)?.acknowledge();
    await turn();
  }
  inFlight.at(-1)?.acknowledge();
  await turn();
  expect([over, all.tally.records]).toEqual([false, 91]);
  inFlight.at(-1)?.acknowledge();
  await published;
  expect(all.tally.records).toBe(100);
});

test("a publish that fails while nothing is due ends it at once", async () => {
  const [all] = traffic(new HandClock(), { rate: 0.001, count: 10 });
  const untilEnded: Clock["sleep"] = (_delayMs, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  const clock: Clock = { nowMs: () => 0, wallMs: () => wallStartMs, sleep: untilEnded };
  const failure = new Error("not acknowledged");
  const publish = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    throw failure;
  };
  await expect(publishTraffic({ ...all, publish, clock }, running)).rejects.toBe(failure);
  expect(all.tally.records).toBe(0);
});

test("a signal ends it after the batch in flight, and only what was acknowledged is counted", async () => {
  const [all, sent] = traffic(new HandClock(), { rate: 1_000, count: Number.POSITIVE_INFINITY });
  const stopping = new AbortController();
  const publish: Traffic["publish"] = async (blocks) => {
    if (sent.length === 10) stopping.abort();
    await all.publish(blocks);
  };
  await publishTraffic({ ...all, publish }, stopping.signal);
  expect(sent).toHaveLength(11);
  expect(all.tally.records).toBe(total(sent));
});

test("a publish that fails is not counted and ends it with that error", async () => {
  const [all] = traffic(new HandClock(), { rate: 1_000, count: 10 });
  const failure = new Error("not acknowledged");
  const publish = (): Promise<void> => Promise.reject(failure);
  await expect(publishTraffic({ ...all, publish }, running)).rejects.toBe(failure);
  expect(all.tally.records).toBe(0);
});
