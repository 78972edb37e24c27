export type TimeUnit = "ms" | "us" | "ns";

/** The fields of one event, however it was written. */
export type Fields = {
  /** undefined where there is none, or null. @throws where there is something else, or its bytes are no UTF-8 */
  text(name: string): string | undefined;
  /** NaN where there is none. */
  number(name: string): number;
  /** Epoch ms, cut towards the past; NaN where there is none. @param unit where the event does not say its own */
  time(name: string, unit: TimeUnit): number;
};

const perMs: Readonly<Record<TimeUnit, bigint>> = { ms: 1n, us: 1_000n, ns: 1_000_000n };

/** Whole ms of a time, towards the past: exact for bigints. NaN for what is no number. */
export function wholeMs(time: unknown, unit: TimeUnit): number {
  const whole = Number.isSafeInteger(time) ? BigInt(Number(time)) : time;
  if (typeof whole !== "bigint") return Math.floor(numberOf(time) / Number(perMs[unit]));
  const rest = ((whole % perMs[unit]) + perMs[unit]) % perMs[unit];
  return Number((whole - rest) / perMs[unit]);
}

/** NaN for what is no number. */
export function numberOf(value: unknown): number {
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
}
