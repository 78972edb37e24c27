import {
  httpEnvironment,
  kafkaEnvironment,
  logEnvironment,
  registryEnvironment,
  topicsEnvironment,
} from "@adstream/service/environment";
import { duration, durationBetween, durationOrZero } from "@adstream/service/durations";
import { kafkaName, oneOf, sound } from "@adstream/service/fields";
import { z } from "zod";

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

/** The directory that `file:` names; a bucket is not served here yet. */
const checkpointDirectory = z.string().transform((text, context): string => {
  const match = /^file:(?:\/\/(?=\/))?(.+)$/.exec(text.trim());
  if (match?.[1] !== undefined) return match[1];
  const message = "must be a local directory like file:.data/checkpoints or file:/var/lib/adstream";
  context.issues.push({ code: "custom", message, input: text });
  return z.NEVER;
});

/** The processor's environment (design section 5); durations are milliseconds once read. */
export const environment = z
  .object({
    ...kafkaEnvironment,
    ...registryEnvironment,
    ...topicsEnvironment,
    ...httpEnvironment,
    ...logEnvironment,
    PROCESSOR_GROUP: kafkaName.default("adstream-processor"),
    START_AT: startAt.prefault("earliest"),
    KAFKA_SESSION_TIMEOUT: durationBetween("1s", "30m").prefault("8s"),
    CHECKPOINT_URL: checkpointDirectory.prefault("file:.data/checkpoints"),
    CHECKPOINT_INTERVAL: durationBetween("100ms", "1h").prefault("5s"),
    WINDOW_SIZE: duration.prefault("1m"),
    WINDOW_SLIDE: duration.prefault("30s"),
    WATERMARK_DELAY: durationOrZero.prefault("10s"),
    ALLOWED_LATENESS: durationOrZero.prefault("0s"),
    EMIT: oneOf(["early", "final"]).default("early"),
    EMIT_INTERVAL: durationBetween("1ms", "1h").prefault("1s"),
    IDLE_TIMEOUT: durationOrZero.prefault("30s"),
    MAX_FUTURE: durationOrZero.prefault("1h"),
  })
  .refine((env) => env.WINDOW_SLIDE <= env.WINDOW_SIZE, {
    path: ["WINDOW_SLIDE"],
    when: sound("WINDOW_SIZE", "WINDOW_SLIDE"),
    error: "must not be longer than WINDOW_SIZE: events between windows would be lost",
  });

export type ProcessorConfig = Readonly<z.output<typeof environment>>;
