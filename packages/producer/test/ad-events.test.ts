import { describe, expect, test } from "vitest";
import { adEvents } from "../src/ad-events.ts";
import { flaws } from "../src/bad-records.ts";
import type { Emission, TrafficSettings } from "../src/ad-events.ts";

const calm: TrafficSettings = {
  seed: 1,
  ads: 50,
  repeatRatio: 0.5,
  redeliverRatio: 0,
  outOfOrderRatio: 0,
  maxDisorderMs: 5_000,
  lateRatio: 0,
  lateByMs: 300_000,
  badRatio: 0,
};
const startMs = 1_700_000_000_000;

/** `count` emissions, one per millisecond. */
function emissions(settings: Partial<TrafficSettings>, count: number): Emission[] {
  const next = adEvents({ ...calm, ...settings });
  return Array.from({ length: count }, (_, index) => next(startMs + index));
}

function share<Value>(values: readonly Value[], matches: (value: Value) => boolean): number {
  return values.filter(matches).length / values.length;
}

const wild = {
  redeliverRatio: 0.1,
  outOfOrderRatio: 0.2,
  lateRatio: 0.05,
  badRatio: 0.1,
} satisfies Partial<TrafficSettings>;

test("the same seed and times give the same traffic, another seed other traffic", () => {
  expect(emissions(wild, 2_000)).toEqual(emissions(wild, 2_000));
  expect(emissions({ ...wild, seed: 2 }, 50)).not.toEqual(emissions(wild, 50));
});

test("the ads of a seed do not depend on the shares of other things", () => {
  const ads = (settings: Partial<TrafficSettings>): string[] =>
    emissions(settings, 500).map(({ event }) => event.ad_id);
  expect(ads({ outOfOrderRatio: 0.5, lateRatio: 0.5, badRatio: 1 })).toEqual(ads({}));
});

test.each([0, 0.5, 0.9, 1])(
  "with a repeat ratio of %d so many records repeat the ad before",
  (ratio) => {
    const all = emissions({ repeatRatio: ratio, ads: 100_000 }, 20_000);
    expect(share(all, ({ repeat }) => repeat)).toBeCloseTo(ratio, 1);
    const same = all.filter(({ event }, index) => event.ad_id === all[index - 1]?.event.ad_id);
    // Of 100,000 ads a fresh one is hardly ever the one before.
    expect(same.length / all.length).toBeCloseTo(ratio, 1);
  },
);

test.each([
  [1, /^ad_0001$/, 1],
  [50, /^ad_00[0-5]\d$/, 50],
  [20_000, /^ad_\d{5}$/, 9_000],
])("of %d ads all are used and named alike", (ads, pattern, atLeast) => {
  const ids = new Set(emissions({ ads }, 40_000).map(({ event }) => event.ad_id));
  for (const id of ids) expect(id).toMatch(pattern);
  expect(ids.size).toBeGreaterThanOrEqual(atLeast);
  expect(ids.size).toBeLessThanOrEqual(ads);
});

test("figures are plausible: clicks within views, cost not negative and in steps of 0.0001", () => {
  const events = emissions({}, 20_000).map(({ event }) => event);
  for (const { clicks, views, cost } of events) {
    expect(Number.isInteger(clicks) && Number.isInteger(views)).toBe(true);
    expect(clicks).toBeGreaterThanOrEqual(0);
    expect(clicks).toBeLessThanOrEqual(views);
    expect(cost).toBeGreaterThanOrEqual(0);
    expect(cost).toBe(Number(cost.toFixed(4)));
  }
  expect(share(events, ({ views }) => views === 0)).toBeGreaterThan(0);
  expect(share(events, ({ clicks }) => clicks > 0)).toBeGreaterThan(0.3);
});

test("without disorder every event happens now", () => {
  for (const [index, { event, timing }] of emissions({}, 100).entries()) {
    expect([event.timestamp, timing]).toEqual([startMs + index, "on time"]);
  }
});

test("out-of-order and late events are as many and as old as asked for", () => {
  const all = emissions({ outOfOrderRatio: 0.2, lateRatio: 0.1 }, 20_000);
  const age = ({ event }: Emission, index: number): number => startMs + index - event.timestamp;
  expect(share(all, ({ timing }) => timing === "out of order")).toBeCloseTo(0.2, 1);
  expect(share(all, ({ timing }) => timing === "late")).toBeCloseTo(0.1, 1);
  const ages = (timing: Emission["timing"]): number[] =>
    all.flatMap((one, index) => (one.timing === timing ? [age(one, index)] : []));
  expect(Math.max(...ages("out of order"))).toBeLessThanOrEqual(5_000);
  expect(Math.max(...ages("out of order"))).toBeGreaterThan(4_500);
  expect(new Set(ages("late"))).toEqual(new Set([300_000]));
});

describe("redeliveries", () => {
  test("are earlier events, unchanged, in the share asked for", () => {
    const seen = new Map<string | null, unknown>();
    const all = emissions({ redeliverRatio: 0.3 }, 20_000);
    for (const { kind, event } of all) {
      if (kind === "redelivery") expect(seen.get(event.event_id)).toEqual(event);
      else expect(seen.has(event.event_id)).toBe(false);
      seen.set(event.event_id, event);
    }
    expect(share(all, ({ kind }) => kind === "redelivery")).toBeCloseTo(0.3, 1);
  });

  test("reach back over the last 1,000 events, not only to the latest", () => {
    const order = new Map<string | null, number>();
    const distances: number[] = [];
    const again = new Set<string | null>();
    for (const { kind, event } of emissions({ redeliverRatio: 0.3 }, 20_000)) {
      if (kind === "event") {
        order.set(event.event_id, order.size);
        continue;
      }
      distances.push(order.size - (order.get(event.event_id) ?? 0));
      again.add(event.event_id);
    }
    expect(new Set(distances).size).toBeGreaterThan(900);
    expect(Math.max(...distances)).toBe(1_000);
    expect(again.size).toBeGreaterThan(distances.length / 2);
  });

  test("are named by event_id, which is null where there are none", () => {
    expect(emissions({ redeliverRatio: 0.1 }, 10)[9]?.event.event_id).toMatch(/^1-9-/);
    expect(emissions({}, 10).every(({ event }) => event.event_id === null)).toBe(true);
  });

  test("of another run have other names", () => {
    const first = adEvents({ ...calm, redeliverRatio: 0.1 })(startMs);
    const again = adEvents({ ...calm, redeliverRatio: 0.1 })(startMs + 1);
    expect(first.event.event_id).not.toBe(again.event.event_id);
  });
});

test("bad records are as many as asked for and of every kind", () => {
  const all = emissions({ badRatio: 0.2 }, 20_000);
  const bad = all.filter(({ kind }) => kind === "bad");
  expect(bad.length / all.length).toBeCloseTo(0.2, 1);
  for (const flaw of flaws) {
    expect(share(bad, (one) => one.flaw === flaw)).toBeGreaterThan(0.5 / flaws.length);
  }
  expect(all.filter(({ kind }) => kind !== "bad").every(({ flaw }) => flaw === undefined)).toBe(
    true,
  );
});
