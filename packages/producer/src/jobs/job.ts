import type { JobName } from "@adstream/contracts/jobs";
import type { ProducerConfig } from "../config.ts";
import type { Traffic } from "../publish.ts";

/** In what each job's events are made. */
export const jobFormats: Readonly<Record<JobName, readonly string[]>> = {
  "ad-stats": ["avro"],
  "campaign-counts": ["json", "avro"],
};

/** The traffic that a job of the processor feeds on. */
export type TrafficJob = {
  /** Of its values in Avro, for the registry. */
  readonly schema: string;
  /** @param schemaId of the schema; undefined for JSON */
  readonly open: (config: ProducerConfig, schemaId: number | undefined) => Traffic["append"];
};
