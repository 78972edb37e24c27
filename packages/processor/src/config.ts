import { jobNames } from "@adstream/contracts/jobs";
import {
  httpEnvironment,
  kafkaEnvironment,
  logEnvironment,
  registryEnvironment,
  topicsEnvironment,
} from "@adstream/service/environment";
import { duration, durationBetween, durationOrZero } from "@adstream/service/durations";
import { mostDeduplicatedIds } from "@adstream/engine/deduplicate";
import { mostKeys } from "@adstream/engine/key-dictionary";
import { kafkaName, oneOf, serverUrl, sound, wholeNumber } from "@adstream/service/fields";
import { eventFormats } from "@adstream/kafka/event-projection";
import { z } from "zod";
import { type CheckpointPlace, checkpointPlace, checkpointUrlForm } from "./checkpoint-store.ts";
import { jobs } from "./jobs/jobs.ts";
import { operatorEnvironment } from "./operator-flags.ts";

/** `earliest`, `latest`, or epoch ms of an ISO time. */
export type StartAt = "earliest" | "latest" | number;

const startAt = z.string().transform((text, context): StartAt => {
  const word = text.trim();
  if (word === "earliest" || word === "latest") return word;
  const time = /^\d{4}-\d{2}-\d{2}/.test(word) ? Date.parse(word) : Number.NaN;
  if (Number.isFinite(time)) return time;
  const message = "must be earliest, latest, or a time like 2026-01-31T12:00:00Z";
  context.issues.push({ code: "custom", message, input: text });
  return z.NEVER;
});

/** A local directory or a bucket. */
const checkpointUrl = z.string().transform((text, context): CheckpointPlace => {
  const place = checkpointPlace(text.trim());
  if (place !== undefined) return place;
  context.issues.push({ code: "custom", message: `must be ${checkpointUrlForm}`, input: text });
  return z.NEVER;
});

/** Where checkpoints are kept; shared by whoever writes and whoever looks at them. */
export const checkpointEnvironment = {
  CHECKPOINT_URL: checkpointUrl.prefault("file:.data/checkpoints"),
  STORAGE_EMULATOR_HOST: serverUrl("http", "https").optional(),
} as const;

/** The processor's environment (design section 5); durations are milliseconds once read. */
export const environment = z
  .object({
    ...kafkaEnvironment,
    ...registryEnvironment,
    ...topicsEnvironment,
    ...httpEnvironment,
    ...logEnvironment,
    ...operatorEnvironment,
    JOB: oneOf(jobNames).default("ad-stats"),
    EVENTS_FORMAT: oneOf(eventFormats).default("avro"),
    PROCESSOR_GROUP: kafkaName.default("adstream-processor"),
    START_AT: startAt.prefault("earliest"),
    KAFKA_SESSION_TIMEOUT: durationBetween("1s", "30m").prefault("8s"),
    ...checkpointEnvironment,
    CHECKPOINT_INTERVAL: durationBetween("100ms", "1h").prefault("5s"),
    WINDOW_SIZE: duration.prefault("1m"),
    WINDOW_SLIDE: duration.prefault("30s"),
    WATERMARK_DELAY: durationOrZero.prefault("10s"),
    ALLOWED_LATENESS: durationOrZero.prefault("0s"),
    EMIT: oneOf(["early", "final"]).default("early"),
    EMIT_INTERVAL: durationBetween("1ms", "1h").prefault("1s"),
    IDLE_TIMEOUT: durationOrZero.prefault("30s"),
    MAX_FUTURE: durationOrZero.prefault("1h"),
    UNKNOWN_SCHEMA: oneOf(["dead-letter", "halt"]).default("dead-letter"),
    MAX_KEYS: wholeNumber(1, mostKeys).prefault("1000000"),
    DEDUPLICATE: oneOf(["off", "event_id"]).default("off"),
    DEDUPLICATE_HORIZON: duration.prefault("10m"),
    DEDUPLICATE_MAX_IDS: wholeNumber(1, mostDeduplicatedIds).prefault("2000000"),
  })
  .refine((env) => env.WINDOW_SLIDE <= env.WINDOW_SIZE, {
    path: ["WINDOW_SLIDE"],
    when: sound("WINDOW_SIZE", "WINDOW_SLIDE"),
    error: "must not be longer than WINDOW_SIZE: events between windows would be lost",
  })
  .refine((env) => env.DEDUPLICATE === "off" || jobs[env.JOB].eventId !== undefined, {
    path: ["DEDUPLICATE"],
    when: sound("DEDUPLICATE", "JOB"),
    error: "must be off: the events of this JOB have no id",
  })
  .refine((env) => env.DEDUPLICATE === "off" || env.DEDUPLICATE_HORIZON >= lateAfter(env), {
    path: ["DEDUPLICATE_HORIZON"],
    when: sound(
      "DEDUPLICATE",
      "DEDUPLICATE_HORIZON",
      "WINDOW_SIZE",
      "WATERMARK_DELAY",
      "ALLOWED_LATENESS",
    ),
    error:
      "must not be shorter than WINDOW_SIZE + WATERMARK_DELAY + ALLOWED_LATENESS: a redelivery that is in time for its window would count again",
  });

/** After so long an event is late for each of its windows, and counts no more whatever its id. */
function lateAfter(
  env: Readonly<Record<"WINDOW_SIZE" | "WATERMARK_DELAY" | "ALLOWED_LATENESS", number>>,
): number {
  return env.WINDOW_SIZE + env.WATERMARK_DELAY + env.ALLOWED_LATENESS;
}

export type ProcessorConfig = Readonly<z.output<typeof environment>>;
