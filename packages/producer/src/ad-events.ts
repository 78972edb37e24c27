import { flaws } from "./bad-records.ts";
import { seekableRandom } from "@adstream/traffic/random";
import type { AdEvent } from "@adstream/contracts/ad-event";
import type { Flaw } from "./bad-records.ts";
import type { Random } from "@adstream/traffic/random";

export type TrafficSettings = {
  /** Unsigned, 32 bits. */
  readonly seed: number;
  /** Different ad ids. */
  readonly ads: number;
  /** Share of records whose ad is the one of the record before. */
  readonly repeatRatio: number;
  /** Share of records that deliver an earlier event again, bytes and `event_id` alike. */
  readonly redeliverRatio: number;
  /** Share of events up to `maxDisorderMs` old. */
  readonly outOfOrderRatio: number;
  readonly maxDisorderMs: number;
  /** Share of events that are `lateByMs` old. */
  readonly lateRatio: number;
  readonly lateByMs: number;
  /** Share of records that nobody can process. */
  readonly badRatio: number;
};

/** One record to send, before it is encoded. */
export type Emission = {
  readonly event: AdEvent;
  readonly kind: "event" | "redelivery" | "bad";
  /** Of kind "bad" only: what is wrong with it. */
  readonly flaw?: Flaw;
  readonly repeat: boolean;
  readonly timing: "on time" | "out of order" | "late";
};

/** How far back a redelivery reaches, in events: consumers see duplicates that are seconds apart at most. */
const redeliveryReach = 1_000;

/**
 * Seeded traffic. The n-th call's record is a function of the settings, n and the times passed so far; a redelivery is
 * an event handed out before.
 */
export function adEvents(settings: TrafficSettings): (nowMs: number) => Emission {
  const adId = adIds(settings.ads);
  const recent: AdEvent[] = [];
  const { random, seek } = seekableRandom(settings.seed);
  let index = 0;
  let events = 0;
  let ad = -1;
  return (nowMs) => {
    seek(index);
    const kind = kindOf(random(), settings, recent.length > 0);
    const repeat = ad >= 0 && random() < settings.repeatRatio;
    if (!repeat) ad = Math.floor(random() * settings.ads);
    const { timing, timestampMs } = timingOf(random, nowMs, settings);
    const event: AdEvent = {
      ad_id: adId(ad),
      timestamp: timestampMs,
      ...figures(random),
      // The time makes it unique over runs with the same seed: a rerun is no redelivery.
      event_id: settings.redeliverRatio > 0 ? `${settings.seed}-${index}-${nowMs}` : null,
    };
    index++;
    if (kind === "bad") {
      const flaw = flaws[Math.floor(random() * flaws.length)] ?? "short frame";
      return { event, kind, flaw, repeat, timing };
    }
    const earlier = recent[Math.floor(random() * recent.length)];
    if (kind === "redelivery" && earlier !== undefined) {
      return { event: earlier, kind, repeat: false, timing: "on time" };
    }
    if (settings.redeliverRatio > 0) recent[events++ % redeliveryReach] = event;
    return { event, kind: "event", repeat, timing };
  };
}

/** Names are made once, of so many ads at most. */
const namedAds = 100_000;

function adIds(ads: number): (ad: number) => string {
  const width = Math.max(4, String(ads).length);
  const named: string[] = [];
  return (ad) => {
    const name = named[ad] ?? `ad_${String(ad + 1).padStart(width, "0")}`;
    if (ad < namedAds) named[ad] = name;
    return name;
  };
}

function kindOf(
  draw: number,
  { badRatio, redeliverRatio }: TrafficSettings,
  redeliverable: boolean,
): Emission["kind"] {
  if (draw < badRatio) return "bad";
  return redeliverable && draw < badRatio + redeliverRatio ? "redelivery" : "event";
}

function timingOf(
  random: Random,
  nowMs: number,
  settings: TrafficSettings,
): { timing: Emission["timing"]; timestampMs: number } {
  const draw = random();
  const ageShare = random();
  if (draw < settings.lateRatio) return { timing: "late", timestampMs: nowMs - settings.lateByMs };
  if (draw < settings.lateRatio + settings.outOfOrderRatio) {
    const ageMs = Math.round(ageShare * settings.maxDisorderMs);
    return { timing: "out of order", timestampMs: nowMs - ageMs };
  }
  return { timing: "on time", timestampMs: nowMs };
}

/** Up to 200 views, of which one in a hundred reports has none; click rates of 5 % on average; 0.05 to 1 a click. */
function figures(random: Random): Pick<AdEvent, "clicks" | "views" | "cost"> {
  const views = random() < 0.01 ? 0 : 1 + Math.floor(random() * 200);
  const clicks = Math.floor(views * 0.2 * random() ** 3 + random() * 0.5);
  const bounded = Math.min(clicks, views);
  const cost = bounded * (0.05 + 0.95 * random()) + views * 0.002;
  return { views, clicks: bounded, cost: Math.round(cost * 1e4) / 1e4 };
}
