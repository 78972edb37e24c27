import { jobNames } from "@adstream/contracts/jobs";
import { durationBetween } from "@adstream/service/durations";
import {
  eventsFormatEnvironment,
  httpEnvironment,
  kafkaEnvironment,
  logEnvironment,
  registryEnvironment,
  topicsEnvironment,
} from "@adstream/service/environment";
import { decimalNumber, oneOf, ratio, sound, wholeNumber } from "@adstream/service/fields";
import { z } from "zod";
import { arrivalModels } from "@adstream/traffic/arrivals";
import { jobFormats } from "./jobs/job.ts";
import type { FlagTable } from "@adstream/service/flags";
import type { TrafficSettings } from "./ad-events.ts";

/** What only the traffic of ad-stats can be told. */
const ofAdStats = [
  "PRODUCER_ADS",
  "PRODUCER_REPEAT_RATIO",
  "PRODUCER_REDELIVER_RATIO",
  "PRODUCER_OUT_OF_ORDER_RATIO",
  "PRODUCER_MAX_DISORDER",
  "PRODUCER_LATE_RATIO",
  "PRODUCER_LATE_BY",
  "PRODUCER_BAD_RATIO",
] as const;

const variables = z.object({
  ...kafkaEnvironment,
  ...registryEnvironment,
  EVENTS_TOPIC: topicsEnvironment.EVENTS_TOPIC,
  ...httpEnvironment,
  ...logEnvironment,
  JOB: oneOf(jobNames).default("ad-stats"),
  ...eventsFormatEnvironment,
  PRODUCER_MODEL: oneOf(arrivalModels).default("uniform"),
  PRODUCER_RATE: decimalNumber(0.001, 1_000_000).prefault("500"),
  PRODUCER_ADS: wholeNumber(1, 10_000_000).prefault("50"),
  PRODUCER_SEED: wholeNumber(0, 2 ** 32 - 1).prefault("1"),
  PRODUCER_COUNT: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  PRODUCER_DURATION: durationBetween("1ms", "720h").optional(),
  PRODUCER_MAX_BEHIND: durationBetween("0s", "720h").prefault("5s"),
  PRODUCER_REPEAT_RATIO: ratio.prefault("0.5"),
  PRODUCER_REDELIVER_RATIO: ratio.prefault("0"),
  PRODUCER_OUT_OF_ORDER_RATIO: ratio.prefault("0"),
  PRODUCER_MAX_DISORDER: durationBetween("1ms", "24h").prefault("5s"),
  PRODUCER_LATE_RATIO: ratio.prefault("0"),
  PRODUCER_LATE_BY: durationBetween("1ms", "720h").prefault("5m"),
  PRODUCER_BAD_RATIO: ratio.prefault("0"),
});

/** Everything the producer can be told; its own part also as flags. */
export const environment = variables
  .refine(({ JOB, EVENTS_FORMAT }) => jobFormats[JOB].includes(EVENTS_FORMAT), {
    path: ["EVENTS_FORMAT"],
    when: sound("JOB", "EVENTS_FORMAT"),
    error: "must be avro: there is no other traffic for JOB=ad-stats",
  })
  .refine((env) => env.PRODUCER_REDELIVER_RATIO + env.PRODUCER_BAD_RATIO <= 1, {
    path: ["PRODUCER_REDELIVER_RATIO"],
    when: sound("PRODUCER_REDELIVER_RATIO", "PRODUCER_BAD_RATIO"),
    error: "must not exceed 1 together with PRODUCER_BAD_RATIO",
  })
  .refine((env) => env.PRODUCER_OUT_OF_ORDER_RATIO + env.PRODUCER_LATE_RATIO <= 1, {
    path: ["PRODUCER_OUT_OF_ORDER_RATIO"],
    when: sound("PRODUCER_OUT_OF_ORDER_RATIO", "PRODUCER_LATE_RATIO"),
    error: "must not exceed 1 together with PRODUCER_LATE_RATIO",
  })
  .superRefine((env, context) => {
    if (env.JOB === "ad-stats") return;
    const usual = variables.parse({});
    for (const variable of ofAdStats) {
      if (env[variable] === usual[variable]) continue;
      const message = `must be left out: the traffic for JOB=${env.JOB} is always the same`;
      context.addIssue({ code: "custom", path: [variable], message });
    }
  });

export type ProducerConfig = Readonly<z.output<typeof environment>>;

export const flags: FlagTable = {
  job: { variable: "JOB", value: jobNames.join("|"), about: "whose events; ad-stats" },
  format: { variable: "EVENTS_FORMAT", value: "avro|json", about: "of values; the job's" },
  model: { variable: "PRODUCER_MODEL", value: arrivalModels.join("|"), about: "uniform" },
  rate: { variable: "PRODUCER_RATE", value: "n", about: "records per second on average; 500" },
  ads: { variable: "PRODUCER_ADS", value: "n", about: "different ads; 50" },
  seed: { variable: "PRODUCER_SEED", value: "n", about: "same seed, same traffic; 1" },
  count: { variable: "PRODUCER_COUNT", value: "n", about: "stop after so many records; never" },
  duration: {
    variable: "PRODUCER_DURATION",
    value: "duration",
    about: "stop when everything due by then is sent; never",
  },
  "max-behind": {
    variable: "PRODUCER_MAX_BEHIND",
    value: "duration",
    about: "make up for stalls of this length, give up the rest of longer ones; 5s",
  },
  "repeat-ratio": {
    variable: "PRODUCER_REPEAT_RATIO",
    value: "share",
    about: "of records on the ad of the record before; 0.5",
  },
  "redeliver-ratio": {
    variable: "PRODUCER_REDELIVER_RATIO",
    value: "share",
    about: "of records that are an earlier one again, event_id included; 0",
  },
  "out-of-order-ratio": {
    variable: "PRODUCER_OUT_OF_ORDER_RATIO",
    value: "share",
    about: "of events up to --max-disorder old; 0",
  },
  "max-disorder": { variable: "PRODUCER_MAX_DISORDER", value: "duration", about: "5s" },
  "late-ratio": {
    variable: "PRODUCER_LATE_RATIO",
    value: "share",
    about: "of events that are --late-by old; 0",
  },
  "late-by": { variable: "PRODUCER_LATE_BY", value: "duration", about: "5m" },
  "bad-ratio": {
    variable: "PRODUCER_BAD_RATIO",
    value: "share",
    about: "of records that nobody can process, of every kind; 0",
  },
};

/** The part of the configuration that shapes the traffic. */
export function trafficSettings(config: ProducerConfig): TrafficSettings {
  return {
    seed: config.PRODUCER_SEED,
    ads: config.PRODUCER_ADS,
    repeatRatio: config.PRODUCER_REPEAT_RATIO,
    redeliverRatio: config.PRODUCER_REDELIVER_RATIO,
    outOfOrderRatio: config.PRODUCER_OUT_OF_ORDER_RATIO,
    maxDisorderMs: config.PRODUCER_MAX_DISORDER,
    lateRatio: config.PRODUCER_LATE_RATIO,
    lateByMs: config.PRODUCER_LATE_BY,
    badRatio: config.PRODUCER_BAD_RATIO,
  };
}
