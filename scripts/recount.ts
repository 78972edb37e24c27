import type { KafkaConfig, SASLOptions } from "kafkajs";
import { type Collection, type Document, MongoClient } from "mongodb";

import {
  type Event,
  eventDecoder,
  readTopic,
  type RegistryAddress,
  type TopicOptions,
} from "./recount-topic.ts";

/**
 * The independent recount: the stock clients, one record at a time, in the words of design section 3. It shares no
 * code with the packages it checks, so a mistake has to be made twice to go unseen. Idle decisions are not modelled.
 */
export type RecountRules = {
  readonly windowSizeMs: number;
  readonly windowSlideMs: number;
  readonly watermarkDelayMs: number;
  readonly allowedLatenessMs: number;
  readonly maxFutureMs: number;
};

export type RecountOptions = RecountRules & TopicOptions & { readonly registry: RegistryAddress };

export type ExpectedDocument = {
  count: number;
  total_clicks: number;
  total_views: number;
  total_cost: number;
};

export type Recount = {
  /** By `_id`. */
  readonly documents: ReadonlyMap<string, ExpectedDocument>;
  /** Records read; always counted + late + dead. */
  readonly in: number;
  /** Counted in one window at least. */
  readonly counted: number;
  readonly late: number;
  readonly dead: number;
};

/** Counts one partition; `event` is undefined where the value cannot be read, `recordTime` -1 where there is none. */
export type PartitionCount = {
  add(event: Event | undefined, recordTime: number): void;
  readonly documents: Map<string, ExpectedDocument>;
  readonly tally: { counted: number; late: number; dead: number };
};

/** Counts every record from the low watermarks to the high watermarks of now. */
export async function recount(options: RecountOptions): Promise<Recount> {
  const decode = eventDecoder(options.registry);
  const partitions = new Map<number, PartitionCount>();
  await readTopic(options, async (partition, { value, timestamp }) => {
    const counted = partitions.get(partition) ?? countPartition(options);
    partitions.set(partition, counted);
    counted.add(await decode(value), Number(timestamp));
  });
  return addUp([...partitions].sort(([a], [b]) => a - b).map(([, counted]) => counted));
}

export function countPartition(rules: RecountRules): PartitionCount {
  const documents = new Map<string, ExpectedDocument>();
  const tally = { counted: 0, late: 0, dead: 0 };
  let highest = -Infinity;
  return {
    documents,
    tally,
    add(event, recordTime) {
      const stamped = recordTime >= 0;
      if (event === undefined || !sound(event)) tally.dead += 1;
      else if (stamped && event.time > recordTime + rules.maxFutureMs) tally.dead += 1;
      else {
        highest = Math.max(highest, stamped ? Math.min(event.time, recordTime) : event.time);
        const watermark = highest - rules.watermarkDelayMs;
        const open = windowsOf(event.time, rules).filter(
          (start) => start + rules.windowSizeMs + rules.allowedLatenessMs > watermark,
        );
        for (const start of open) addTo(documents, start, event);
        if (open.length > 0) tally.counted += 1;
        else tally.late += 1;
      }
    },
  };
}

function windowsOf(time: number, { windowSizeMs, windowSlideMs }: RecountRules): number[] {
  const starts: number[] = [];
  let start = Math.floor(time / windowSlideMs) * windowSlideMs;
  for (; start > time - windowSizeMs; start -= windowSlideMs) starts.push(start);
  return starts;
}

function addTo(documents: Map<string, ExpectedDocument>, start: number, event: Event): void {
  const id = `${new Date(start).toISOString()}/${event.adId}`;
  const document = documents.get(id) ?? emptyDocument();
  documents.set(id, document);
  document.count += 1;
  document.total_clicks += event.clicks;
  document.total_views += event.views;
  document.total_cost += event.cost;
}

function emptyDocument(): ExpectedDocument {
  return { count: 0, total_clicks: 0, total_views: 0, total_cost: 0 };
}

/** The rules of a good event that its schema cannot express. */
function sound({ adId, time, clicks, views, cost }: Event): boolean {
  const idBytes = Buffer.byteLength(adId);
  const whole = [clicks, views].every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 31);
  const timed = Number.isInteger(time) && Math.abs(time) <= 8.64e15;
  return idBytes > 0 && idBytes <= 256 && whole && timed && Number.isFinite(cost) && cost >= 0;
}

function addUp(partitions: readonly PartitionCount[]): Recount {
  const documents = new Map<string, ExpectedDocument>();
  const sums = { counted: 0, late: 0, dead: 0 };
  for (const { documents: slots, tally } of partitions) {
    sums.counted += tally.counted;
    sums.late += tally.late;
    sums.dead += tally.dead;
    for (const [id, slot] of slots) {
      const total = documents.get(id) ?? emptyDocument();
      documents.set(id, total);
      total.count += slot.count;
      total.total_clicks += slot.total_clicks;
      total.total_views += slot.total_views;
      total.total_cost += slot.total_cost;
    }
  }
  return { documents, in: sums.counted + sums.late + sums.dead, ...sums };
}

export type Comparison = {
  /** In MongoDB. */
  readonly documents: number;
  /** Expected and not there. */
  readonly missing: number;
  /** There and not expected. */
  readonly extra: number;
  /** With other figures than expected. */
  readonly differing: number;
  /** The first ten of missing, extra and differing. */
  readonly different: readonly Difference[];
};

export type Difference = {
  readonly id: string;
  /** undefined: extra. */
  readonly expected: Figures | undefined;
  /** undefined: missing. */
  readonly found: Document | undefined;
};

type Figures = ExpectedDocument & {
  readonly avg_clicks: number;
  readonly avg_views: number;
  readonly avg_cost: number;
  readonly avg_cost_per_view: number | null;
};

/** Floats may be added in another order (protocol 2.2). */
const tolerance = 1e-9;
const maxShown = 10;

/** Holds every document of the collection against the recount, all eight figures of each. */
export async function compareWithMongo(
  { documents }: Pick<Recount, "documents">,
  collection: Collection,
): Promise<Comparison> {
  const left = new Map(documents);
  const counts = { documents: 0, missing: 0, extra: 0, differing: 0 };
  const different: Difference[] = [];
  for await (const found of collection.find({}, { projection: { slots: 0 } })) {
    counts.documents += 1;
    const id = String(found._id);
    const document = left.get(id);
    left.delete(id);
    const expected = document === undefined ? undefined : figuresOf(document);
    if (expected !== undefined && sameFigures(expected, found)) continue;
    counts[expected === undefined ? "extra" : "differing"] += 1;
    if (different.length < maxShown) different.push({ id, expected, found });
  }
  counts.missing = left.size;
  for (const [id, document] of [...left].slice(0, maxShown - different.length)) {
    different.push({ id, expected: figuresOf(document), found: undefined });
  }
  return { ...counts, different };
}

function figuresOf(document: ExpectedDocument): Figures {
  const { count, total_clicks, total_views, total_cost } = document;
  return {
    ...document,
    avg_clicks: total_clicks / count,
    avg_views: total_views / count,
    avg_cost: total_cost / count,
    avg_cost_per_view: total_views === 0 ? null : total_cost / total_views,
  };
}

function sameFigures(expected: Figures, found: Document): boolean {
  return Object.entries(expected).every(([name, figure]) => {
    const actual: unknown = found[name];
    if (figure === null || typeof actual !== "number") return figure === actual;
    const scale = Math.max(Math.abs(figure), Math.abs(actual));
    return Math.abs(figure - actual) <= tolerance * scale;
  });
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(text: string): number {
  const [, digits, unit = ""] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  return Number(digits) * (unitMs[unit] ?? Number.NaN);
}

/** From the variables of design section 5. */
export function optionsFrom(
  variables: Readonly<Record<string, string | undefined>>,
): RecountOptions {
  // An empty variable counts as not set.
  const env = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ""));
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

if (import.meta.main) {
  const { env } = process;
  const counted = await recount(optionsFrom(env));
  await using client = new MongoClient(env["MONGODB_URL"] ?? "mongodb://localhost:27017");
  const database = client.db(env["MONGODB_DATABASE"] ?? "Advertisement");
  const collection = database.collection(env["MONGODB_COLLECTION"] ?? "ad_stats");
  const comparison = await compareWithMongo(counted, collection);
  console.log(
    JSON.stringify({ ...counted, documents: counted.documents.size, comparison }, null, 2),
  );
  const { missing, extra, differing } = comparison;
  process.exitCode = missing + extra + differing === 0 && counted.documents.size > 0 ? 0 : 1;
}
