import { expect, test } from "vitest";
import { adEvents } from "../src/ad-events.ts";
import { uniformArrivals } from "../src/arrivals.ts";
import { openPace } from "../src/pace.ts";
import { publishTraffic } from "../src/publish.ts";
import { openTally } from "../src/tally.ts";
import type { Emission } from "../src/ad-events.ts";
import type { Clock } from "@adstream/service/system-clock";
import type { Outgoing, Traffic } from "../src/publish.ts";

const wallStartMs = 1_700_000_000_000;

/** Time passes only by sleeping, or when a test says so. */
class HandClock implements Clock {
  elapsedMs = 0;
  nowMs(): number {
    return this.elapsedMs;
  }
  wallMs(): number {
    return wallStartMs + this.elapsedMs;
  }
  async sleep(delayMs: number): Promise<void> {
    this.elapsedMs += delayMs;
  }
}

type Sent = { readonly atMs: number; readonly records: readonly Outgoing[] };

function traffic(clock: HandClock, rate: number, count: number): [Traffic, Sent[], Emission[]] {
  const sent: Sent[] = [];
  const emitted: Emission[] = [];
  const next = adEvents({
    seed: 1,
    ads: 10,
    repeatRatio: 0.5,
    redeliverRatio: 0,
    outOfOrderRatio: 0,
    maxDisorderMs: 1,
    lateRatio: 0,
    lateByMs: 1,
    badRatio: 0.1,
  });
  const remembered = (nowMs: number): Emission => {
    const emission = next(nowMs);
    emitted.push(emission);
    return emission;
  };
  return [
    {
      topic: "events",
      next: remembered,
      encoder: {
        schemaId: 7,
        encode: (event) => Buffer.from(JSON.stringify(event)),
        frame: (schemaId, payload) => Buffer.concat([Buffer.from([0, 0, 0, 0, schemaId]), payload]),
      },
      pace: openPace({ arrivals: uniformArrivals(rate), startMs: 0, maxBehindMs: 5_000 }),
      count,
      publish: async (records) => void sent.push({ atMs: clock.elapsedMs, records }),
      tally: openTally(),
      clock,
    },
    sent,
    emitted,
  ];
}

const running = new AbortController().signal;

test("sends exactly as many records as asked for, keyed by ad, at the rate", async () => {
  const clock = new HandClock();
  const [all, sent, emitted] = traffic(clock, 20_000, 99_999);
  await publishTraffic(all, running);
  const records = sent.flatMap((batch) => batch.records);
  expect(records).toHaveLength(99_999);
  expect(records.map(({ key }) => key)).toEqual(emitted.map(({ event }) => event.ad_id));
  expect(new Set(records.map(({ topic }) => topic))).toEqual(new Set(["events"]));
  expect(clock.elapsedMs).toBeGreaterThan(4_950);
  expect(clock.elapsedMs).toBeLessThan(5_050);
});

test("batches of a tick: neither a send per record nor one that is too large", async () => {
  const clock = new HandClock();
  const [all, sent] = traffic(clock, 20_000, 20_000);
  await publishTraffic(all, running);
  const sizes = sent.map((batch) => batch.records.length);
  expect(Math.max(...sizes.slice(1))).toBeLessThanOrEqual(201);
  expect(sizes.length).toBeLessThan(110);
});

test("after a hiccup the backlog goes out at once in bounded batches, with the times it was due", async () => {
  const clock = new HandClock();
  const [all, sent, emitted] = traffic(clock, 10_000, 60_000);
  let hiccups = 1;
  const publish: Traffic["publish"] = async (records) => {
    await all.publish(records);
    if (sent.length === 100 && hiccups-- > 0) clock.elapsedMs += 3_000;
  };
  await publishTraffic({ ...all, publish }, running);
  expect(clock.elapsedMs).toBeLessThan(6_050);
  expect(Math.max(...sent.map((batch) => batch.records.length))).toBe(5_000);
  const times = emitted.map(({ event }) => event.timestamp - wallStartMs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(1);
});

test("no record is of the future", async () => {
  const clock = new HandClock();
  const [all] = traffic(clock, 30, 100);
  const next = (nowMs: number): Emission => {
    expect(nowMs).toBeLessThanOrEqual(clock.wallMs());
    expect(Number.isInteger(nowMs)).toBe(true);
    return all.next(nowMs);
  };
  await publishTraffic({ ...all, next }, running);
});

test("one batch is in flight at a time", async () => {
  const clock = new HandClock();
  const [all] = traffic(clock, 1_000, 500);
  let inFlight = 0;
  const publish = async (): Promise<void> => {
    expect(++inFlight).toBe(1);
    await Promise.resolve();
    inFlight--;
  };
  await publishTraffic({ ...all, publish }, running);
});

test("a signal ends it after the batch in flight, and only what was acknowledged is counted", async () => {
  const clock = new HandClock();
  const [all, sent] = traffic(clock, 1_000, Number.POSITIVE_INFINITY);
  const stopping = new AbortController();
  const publish: Traffic["publish"] = async (records) => {
    if (sent.length === 10) stopping.abort();
    await all.publish(records);
  };
  await publishTraffic({ ...all, publish }, stopping.signal);
  const records = sent.flatMap((batch) => batch.records).length;
  expect(sent).toHaveLength(11);
  expect(all.tally.records).toBe(records);
});

test("a publish that fails is not counted and ends it with that error", async () => {
  const [all] = traffic(new HandClock(), 1_000, 10);
  const failure = new Error("not acknowledged");
  const publish = (): Promise<void> => Promise.reject(failure);
  await expect(publishTraffic({ ...all, publish }, running)).rejects.toBe(failure);
  expect(all.tally.records).toBe(0);
});
