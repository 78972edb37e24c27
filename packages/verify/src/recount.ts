import type { KafkaConfig, SASLOptions } from "kafkajs";
import { jobDefaults, jobNames } from "@adstream/contracts/jobs";
import { addFigures, type CountRules, PartitionCounter } from "./count-partition.ts";
import { eventDecoder, type EventValues } from "./decode-event.ts";
import type { CountedJob } from "./jobs/job.ts";
import { jobs } from "./jobs/jobs.ts";
import { readTopic, type TopicOptions } from "./recount-topic.ts";

export type RecountOptions = CountRules & TopicOptions & Pick<EventValues, "registry" | "format">;

/** `count` and the figures of the job. */
export type ExpectedDocument = { count: number; [figure: string]: number };

export type Recount = {
  /** By `_id`. */
  readonly documents: ReadonlyMap<string, ExpectedDocument>;
  /** Records read; always counted + late + dead + duplicate. */
  readonly in: number;
  /** Counted in one window at least. */
  readonly counted: number;
  readonly late: number;
  readonly dead: number;
  readonly duplicate: number;
};

/** Counts every record from the low watermarks to the high watermarks of now, all documents in memory. Decisions are not modelled. */
export async function recount(options: RecountOptions): Promise<Recount> {
  const decode = eventDecoder({
    ...options,
    withIds: options.deduplicateHorizonMs !== undefined,
  });
  const partitions = new Map<number, PartitionCounter>();
  await readTopic(options, async (partition, { value, timestamp, offset }) => {
    const counter = partitions.get(partition) ?? new PartitionCounter(options);
    partitions.set(partition, counter);
    const record = { offset: Number(offset), recordTime: Number(timestamp) };
    counter.add({ ...record, event: await decode(value) });
  });
  return addUp(
    [...partitions].sort(([a], [b]) => a - b).map(([, counter]) => counter),
    options.job,
  );
}

function addUp(partitions: readonly PartitionCounter[], job: CountedJob): Recount {
  const documents = new Map<string, ExpectedDocument>();
  const sums = { counted: 0, late: 0, dead: 0, duplicate: 0 };
  for (const counter of partitions) {
    for (const name of ["counted", "late", "dead", "duplicate"] as const) {
      sums[name] += counter.tally[name];
    }
    for (const { start, slots } of counter.takeRest(Infinity)) {
      for (const [key, { count, figures }] of slots) {
        const id = `${new Date(start).toISOString()}/${key}`;
        const total = documents.get(id);
        if (total === undefined) documents.set(id, { count, ...figures });
        else {
          total.count += count;
          addFigures(total, figures, job);
        }
      }
    }
  }
  const { counted, late, dead, duplicate } = sums;
  return { documents, in: counted + late + dead + duplicate, ...sums };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(text: string): number {
  const [, digits, unit = ""] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  return Number(digits) * (unitMs[unit] ?? Number.NaN);
}

/** From the variables of design section 5. */
export function optionsFrom(
  variables: Readonly<Record<string, string | undefined>>,
): RecountOptions & { readonly kafka: KafkaConfig } {
  // An empty variable counts as not set.
  const given = Object.entries(variables).filter(([, value]) => value !== "");
  const env = { ...jobDefaults(variables["JOB"]), ...Object.fromEntries(given) };
  const job = jobNames.find((name) => name === env["JOB"]) ?? "ad-stats";
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password = "" } = env;
  const mechanism = env["KAFKA_SASL_MECHANISM"] ?? "PLAIN";
  const protocol = env["KAFKA_SECURITY_PROTOCOL"] ?? "PLAINTEXT";
  const kafka: KafkaConfig = {
    brokers: (env["KAFKA_BROKERS"] ?? "localhost:9092").split(","),
    ssl: protocol.endsWith("SSL"),
    ...(username === undefined ? {} : { sasl: saslOf(mechanism, username, password) }),
  };
  return {
    kafka,
    registry: {
      url: env["SCHEMA_REGISTRY_URL"] ?? "http://localhost:8081",
      username: env["SCHEMA_REGISTRY_USERNAME"],
      password: env["SCHEMA_REGISTRY_PASSWORD"],
    },
    job: jobs[job],
    format: env["EVENTS_FORMAT"] === "json" ? "json" : "avro",
    topic: env["EVENTS_TOPIC"] ?? "ad_topic",
    windowSizeMs: durationMs(env["WINDOW_SIZE"] ?? "1m"),
    windowSlideMs: durationMs(env["WINDOW_SLIDE"] ?? "30s"),
    watermarkDelayMs: durationMs(env["WATERMARK_DELAY"] ?? "10s"),
    allowedLatenessMs: durationMs(env["ALLOWED_LATENESS"] ?? "0s"),
    maxFutureMs: durationMs(env["MAX_FUTURE"] ?? "1h"),
  };
}

function saslOf(mechanism: string, username: string, password: string): SASLOptions {
  switch (mechanism) {
    case "SCRAM-SHA-256":
      return { mechanism: "scram-sha-256", username, password };
    case "SCRAM-SHA-512":
      return { mechanism: "scram-sha-512", username, password };
    default:
      return { mechanism: "plain", username, password };
  }
}
