import { connectKafka, connectOnce } from "@adstream/kafka/connection";
import { kafkaSettings, registrySettings } from "@adstream/service/connection-settings";
import type { Log } from "@adstream/service/log";
import { MongoClient, MongoServerSelectionError } from "mongodb";
import type { VerifyConfig } from "./config.ts";
import type { CountRules } from "./count-partition.ts";
import { jobs } from "./jobs/jobs.ts";
import type { VerifyTarget } from "./verify.ts";

export type OpenTarget = VerifyTarget & AsyncDisposable;

/**
 * Connects to Kafka and MongoDB; one attempt. Nothing is ever written.
 * @throws when one does not answer within seconds
 */
export async function openTarget(config: VerifyConfig, log: Log): Promise<OpenTarget> {
  await using opening = new AsyncDisposableStack();
  const kafka = connectKafka(kafkaSettings(config, "adstream-verify"), log);
  const admin = opening.adopt(kafka.admin(), (client) => client.disconnect());
  await connectOnce(() => admin.connect(), kafka);
  const client = opening.adopt(
    new MongoClient(config.MONGODB_URL.reveal(), {
      appName: "adstream-verify",
      serverSelectionTimeoutMS: 5_000,
      readPreference: "primary",
      readConcern: { level: "majority" },
    }),
    (opened) => opened.close(),
  );
  await connectMongo(client);
  const resources = opening.move();
  return {
    kafka,
    registry: registrySettings(config),
    format: config.EVENTS_FORMAT,
    topics: {
      events: config.EVENTS_TOPIC,
      deadLetters: config.DEAD_LETTER_TOPIC,
      late: config.LATE_TOPIC,
    },
    collection: client.db(config.MONGODB_DATABASE).collection(config.MONGODB_COLLECTION),
    rules: rulesOf(config),
    early: config.EMIT === "early",
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** With a disposition, so that a service waits for a server that is not there yet. */
async function connectMongo(client: MongoClient): Promise<void> {
  try {
    await client.connect();
  } catch (cause) {
    if (!(cause instanceof MongoServerSelectionError)) throw cause;
    const hosts = client.options.srvHost ?? client.options.hosts.map(String).join(",");
    const error = new Error(`MongoDB at ${hosts} (MONGODB_URL) does not answer`, { cause });
    throw Object.assign(error, { disposition: "retry" });
  }
}

function rulesOf(config: VerifyConfig): CountRules {
  return {
    job: jobs[config.JOB],
    windowSizeMs: config.WINDOW_SIZE,
    windowSlideMs: config.WINDOW_SLIDE,
    watermarkDelayMs: config.WATERMARK_DELAY,
    allowedLatenessMs: config.ALLOWED_LATENESS,
    maxFutureMs: config.MAX_FUTURE,
    deduplicateHorizonMs: config.DEDUPLICATE === "off" ? undefined : config.DEDUPLICATE_HORIZON,
  };
}
