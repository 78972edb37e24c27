import { type Codec, codecs } from "./codecs.ts";

const unitMs = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
]);

/** @throws {RangeError} unless the text is a whole number from 1 to 2^31 */
export function count(name: string, text: string): number {
  const value = Number(text.replaceAll("_", ""));
  if (Number.isInteger(value) && value >= 1 && value <= 2 ** 31) return value;
  throw new RangeError(`--${name} ${text} is not a whole number from 1 on`);
}

/**
 * Milliseconds of a text like 500ms, 60s or 5m.
 * @throws {RangeError} when it is none, or shorter than `leastMs`
 */
export function duration(name: string, text: string, leastMs = 1): number {
  const [, digits, unit = ""] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? [];
  const durationMs = Number(digits) * (unitMs.get(unit) ?? Number.NaN);
  if (durationMs >= leastMs) return durationMs;
  const least = leastMs > 1 ? `, of ${leastMs / 1_000}s at least` : "";
  throw new RangeError(`--${name} ${text} is not a duration like 500ms, 60s or 5m${least}`);
}

/** @throws {RangeError} unless the text names a codec */
export function codecNamed(text: string): Codec {
  const codec = codecs.find((name) => name === text);
  if (codec !== undefined) return codec;
  throw new RangeError(`--codec must be one of ${codecs.join(", ")}`);
}
