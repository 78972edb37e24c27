import type { ProducerConfig } from "../config.ts";
import type { Traffic } from "../publish.ts";

/** How values are written. */
export const formats = ["avro", "json"] as const;
export type Format = (typeof formats)[number];

/** The processor's jobs that there is traffic for. */
export const jobNames = ["ad-stats", "campaign-counts"] as const;
export type JobName = (typeof jobNames)[number];

/** What each job reads; the first one is the default. */
export const jobFormats: Readonly<Record<JobName, readonly [Format, ...Format[]]>> = {
  "ad-stats": ["avro"],
  "campaign-counts": ["json", "avro"],
};

/** The traffic that a job of the processor feeds on. */
export type TrafficJob = {
  /** Where it goes when nothing else is said. */
  readonly topic: string;
  /** Of its values in Avro, for the registry. */
  readonly schema: string;
  /** @param schemaId of the schema; undefined for JSON */
  readonly open: (config: ProducerConfig, schemaId: number | undefined) => Traffic["append"];
};
