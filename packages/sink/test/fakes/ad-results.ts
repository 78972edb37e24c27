import type { AdStats } from "@adstream/contracts/ad-stats";

/** A result whose figures follow from slot and version, as the processor's do: equal versions are equal bytes. */
export function adResult(given: Partial<AdStats> = {}): AdStats {
  const { slot = 0, version = 2n } = given;
  const size = Number(version) * (slot + 1);
  return {
    ad_id: "ad-1",
    window_start: 1_700_000_010_000,
    window_end: 1_700_000_070_000,
    slot,
    version,
    status: version % 2n === 0n ? "early" : "final",
    count: size,
    total_clicks: size * 2,
    total_views: size * 3,
    total_cost: size * 0.1,
    max_event_time: 1_700_000_020_000,
    max_record_time: 1_700_000_020_500,
    ...given,
  };
}

/** Ids that trip code which takes data for names, operators, paths or C strings. */
export const hostileAdIds = [
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "$where",
  "$set",
  "a.b",
  "a/b",
  "nul\u0000nul",
  "\u0000",
  "x".repeat(256),
  "🦜🦜",
  "\u202Ertl",
];
