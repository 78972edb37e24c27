import { jobNames } from "@adstream/contracts/jobs";
import { durationBetween, durationOrOff } from "@adstream/service/durations";
import {
  httpEnvironment,
  kafkaEnvironment,
  logEnvironment,
  mongoEnvironment,
  registryEnvironment,
  sinkDeadLetterTopic,
  topicsEnvironment,
} from "@adstream/service/environment";
import { kafkaName, oneOf } from "@adstream/service/fields";
import { z } from "zod";

import { connectionStringProblem } from "./open-document-store.ts";

/** Durations are milliseconds here; `RESULT_TTL` is null where results are kept for ever. */
export const environment = z.object({
  ...kafkaEnvironment,
  ...registryEnvironment,
  ...mongoEnvironment,
  MONGODB_URL: mongoEnvironment.MONGODB_URL.superRefine((url, context) => {
    const problem = connectionStringProblem(url.reveal());
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  }),
  ...httpEnvironment,
  ...logEnvironment,
  JOB: oneOf(jobNames).default("ad-stats"),
  RESULTS_TOPIC: topicsEnvironment.RESULTS_TOPIC,
  SINK_DEAD_LETTER_TOPIC: sinkDeadLetterTopic,
  SINK_GROUP: kafkaName.default("adstream-sink"),
  RESULT_TTL: durationOrOff.prefault("off"),
  KAFKA_SESSION_TIMEOUT: durationBetween("1s", "30m").prefault("8s"),
});

export type SinkConfig = Readonly<z.output<typeof environment>>;
