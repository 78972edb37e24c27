import { jobDefaults, jobNames } from "@adstream/contracts/jobs";
import {
  duration,
  durationBetween,
  durationOrOff,
  durationOrZero,
} from "@adstream/service/durations";
import {
  type DefaultTexts,
  eventsFormatEnvironment,
  httpEnvironment,
  kafkaEnvironment,
  logEnvironment,
  mongoEnvironment,
  readEnvironment,
  registryEnvironment,
  topicsEnvironment,
} from "@adstream/service/environment";
import { oneOf, sound } from "@adstream/service/fields";
import type { FlagTable } from "@adstream/service/flags";
import { z } from "zod";
import { jobs } from "./jobs/jobs.ts";

const isoTime = z.string().transform((text, context): number => {
  const time = /^\d{4}-\d{2}-\d{2}/.test(text.trim()) ? Date.parse(text.trim()) : Number.NaN;
  if (Number.isFinite(time)) return time;
  const message = "must be a time like 2026-01-31T12:00:00Z";
  context.issues.push({ code: "custom", message, input: text });
  return z.NEVER;
});

/** How to get at the raw records, what they say, and when they are late. Durations are milliseconds here. */
export const rawLogEnvironment = {
  ...kafkaEnvironment,
  ...registryEnvironment,
  JOB: oneOf(jobNames).default("ad-stats"),
  ...eventsFormatEnvironment,
  EVENTS_TOPIC: topicsEnvironment.EVENTS_TOPIC,
  DEAD_LETTER_TOPIC: topicsEnvironment.DEAD_LETTER_TOPIC,
  LATE_TOPIC: topicsEnvironment.LATE_TOPIC,
  WINDOW_SIZE: duration.prefault("1m"),
  WINDOW_SLIDE: duration.prefault("30s"),
  WATERMARK_DELAY: durationOrZero.prefault("10s"),
  ALLOWED_LATENESS: durationOrZero.prefault("0s"),
} as const;

/** Of the job that is named. */
export const defaults: DefaultTexts = (given) => jobDefaults(given("JOB"));

/** What `pnpm verify` reads: the servers, and the rules that the processor counts by. */
export const environment = z
  .object({
    ...rawLogEnvironment,
    ...mongoEnvironment,
    ...httpEnvironment,
    ...logEnvironment,
    EMIT: oneOf(["early", "final"]).default("early"),
    MAX_FUTURE: durationOrZero.prefault("1h"),
    DEDUPLICATE: oneOf(["off", "event_id"]).default("off"),
    DEDUPLICATE_HORIZON: duration.prefault("10m"),
    VERIFY_FROM: isoTime.optional(),
    VERIFY_TO: isoTime.optional(),
    VERIFY_EVERY: durationOrOff.prefault("off"),
    VERIFY_SAMPLE: durationBetween("1s", "24h").prefault("10m"),
    VERIFY_SETTLE: durationBetween("1ms", "1h").prefault("30s"),
    VERIFY_MARGIN: durationOrZero.prefault("1m"),
  })
  .refine((env) => env.DEDUPLICATE === "off" || jobs[env.JOB].eventId !== undefined, {
    path: ["DEDUPLICATE"],
    when: sound("DEDUPLICATE", "JOB"),
    error: "must be off: the events of this JOB have no id",
  })
  .refine((env) => (env.VERIFY_FROM === undefined) === (env.VERIFY_TO === undefined), {
    path: ["VERIFY_TO"],
    when: sound("VERIFY_FROM", "VERIFY_TO"),
    error: "belongs together with VERIFY_FROM (--from and --to)",
  })
  .refine((env) => (env.VERIFY_FROM ?? 0) < (env.VERIFY_TO ?? 1), {
    path: ["VERIFY_TO"],
    when: sound("VERIFY_FROM", "VERIFY_TO"),
    error: "must be later than VERIFY_FROM",
  })
  .refine((env) => env.VERIFY_FROM === undefined || env.VERIFY_EVERY === null, {
    path: ["VERIFY_EVERY"],
    when: sound("VERIFY_FROM", "VERIFY_EVERY"),
    error: "samples windows by itself: leave VERIFY_FROM and VERIFY_TO (--from and --to) out",
  });

export type VerifyConfig = Readonly<z.output<typeof environment>>;

/** From the variables of a pipeline alone: no `.env`, no flags. @throws {ConfigError} */
export function configFrom(env: Readonly<Record<string, string | undefined>>): VerifyConfig {
  return readEnvironment(environment, { env, file: null, defaults });
}

export const flags: FlagTable = {
  from: { variable: "VERIFY_FROM", value: "time", about: "first start of a window" },
  to: { variable: "VERIFY_TO", value: "time", about: "windows that begin before it" },
  every: {
    variable: "VERIFY_EVERY",
    value: "duration",
    about: "run as a service and check a random sample of finished windows so often",
  },
  sample: { variable: "VERIFY_SAMPLE", value: "duration", about: "time span of a sample" },
};
