import { adStatsShape } from "./ad-stats.ts";
import { campaignCountsShape } from "./campaign-counts.ts";
import type { ResultShape } from "./result-shape.ts";

/** What services have to agree upon about a job. */
export type JobContract = {
  readonly result: ResultShape;
  /** Settings whose defaults differ from those of ad-stats: names of the environment, values as one would write them there. */
  readonly defaults: Readonly<Record<string, string>>;
};

/** By the value of JOB. */
export const jobContracts = {
  "ad-stats": { result: adStatsShape, defaults: {} },
  "campaign-counts": {
    result: campaignCountsShape,
    defaults: {
      EVENTS_TOPIC: "events",
      EVENTS_FORMAT: "json",
      RESULTS_TOPIC: "campaign_counts",
      DEAD_LETTER_TOPIC: "events.dlq",
      LATE_TOPIC: "events.late",
      AUDIT_TOPIC: "events.audit",
      MONGODB_COLLECTION: "campaign_counts",
      PROCESSOR_GROUP: "adstream-campaign-counts",
      SINK_GROUP: "adstream-campaign-counts-sink",
      WINDOW_SIZE: "10s",
      WINDOW_SLIDE: "10s",
    },
  },
} as const satisfies Readonly<Record<string, JobContract>>;

export type JobName = keyof typeof jobContracts;

/** As entered above. */
export const jobNames: readonly JobName[] = Object.keys(jobContracts).filter(isJob);

/** Defaults under a value of JOB; none under one that is no job. */
export function jobDefaults(job: string | undefined): Readonly<Record<string, string>> {
  return job !== undefined && isJob(job) ? jobContracts[job].defaults : {};
}

function isJob(name: string): name is JobName {
  return Object.hasOwn(jobContracts, name);
}
