import type { AdStats } from "@adstream/contracts/ad-stats";
import { z } from "zod";

/** What `Date` can hold. */
const maxTimeMs = 8.64e15;
const maxAdIdBytes = 256;

/** A long that a double holds exactly; decoders give either form. */
const whole = z.union([z.int(), z.bigint().transform(Number).pipe(z.int())]);
const count = whole.refine((value) => value >= 0, "is negative");
const time = whole.refine((value) => Math.abs(value) <= maxTimeMs, "is no time");

const adStats = z
  .object({
    ad_id: z
      .string()
      .refine((id) => id.isWellFormed(), "is no text")
      .refine((id) => id !== "" && Buffer.byteLength(id) <= maxAdIdBytes, "has a wrong size"),
    window_start: time,
    window_end: time,
    slot: count.refine((slot) => slot < 2 ** 31, "is no partition"),
    version: z.union([z.bigint(), z.int().transform(BigInt)]),
    status: z.enum(["early", "final", "corrected"]),
    count,
    total_clicks: count,
    total_views: count,
    total_cost: z.number(),
    max_event_time: time,
    max_record_time: whole,
  })
  .refine(({ window_start, window_end }) => window_start < window_end, "ends before it starts");

/**
 * Checks a decoded value of the results topic before anything is made of it.
 *
 * @returns the reason, as text, when it is not a result
 */
export function parseResult(value: unknown): AdStats | string {
  const { data, error } = adStats.safeParse(value);
  if (data !== undefined) return data;
  const issue = error.issues[0];
  return `${issue?.path.join(".") || "result"}: ${issue?.message ?? "is not a result"}`;
}
