import { z } from "zod";

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const pattern = /^(\d{1,12})(ms|s|m|h)$/;
const example = "a duration like 500ms, 10s, 1m or 1h";
/** A year. Beyond that it is a typing mistake, and sums of durations stay exact. */
const maxDurationMs = 8_760 * unitMs.h;

/** Milliseconds of `500ms`, `10s`, `1m` or `1h`. @returns undefined when the text is none, or is over a year. */
export function parseDuration(text: string): number | undefined {
  const match = pattern.exec(text.trim());
  if (match === null) return undefined;
  const [, digits, unit] = match;
  if (unit !== "ms" && unit !== "s" && unit !== "m" && unit !== "h") return undefined;
  const durationMs = Number(digits) * unitMs[unit];
  return durationMs <= maxDurationMs ? durationMs : undefined;
}

type DurationField = z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>;

function durationField(minMs: number, maxMs: number, allowed: string): DurationField {
  return z.string().transform((text, context) => {
    const durationMs = parseDuration(text);
    if (durationMs !== undefined && durationMs >= minMs && durationMs <= maxMs) return durationMs;
    context.issues.push({ code: "custom", message: `must be ${allowed}`, input: text });
    return z.NEVER;
  });
}

/** Above zero, up to a year; parses to ms. A default is text: `duration.prefault("10s")`. */
export const duration: DurationField = durationField(1, maxDurationMs, example);

/** Like `duration`, and `0s` is allowed. */
export const durationOrZero: DurationField = durationField(0, maxDurationMs, `${example}, or 0s`);

/** A duration from `min` to `max`, both inclusive and both written as durations. */
export function durationBetween(min: string, max: string): DurationField {
  const minMs = parseDuration(min);
  const maxMs = parseDuration(max);
  if (minMs === undefined || maxMs === undefined) {
    throw new RangeError(`${min} or ${max} is no duration`);
  }
  return durationField(minMs, maxMs, `${example}, from ${min} to ${max}`);
}

/** Like `duration`, and `off`, which parses to null. */
export const durationOrOff: z.ZodPipe<z.ZodString, z.ZodTransform<number | null, string>> = z
  .string()
  .transform((text, context) => {
    if (text.trim() === "off") return null;
    const durationMs = parseDuration(text);
    if (durationMs !== undefined && durationMs > 0) return durationMs;
    context.issues.push({ code: "custom", message: `must be ${example}, or off`, input: text });
    return z.NEVER;
  });
