import { randomBytes } from "node:crypto";
import { registerCodecs } from "./codecs.ts";
import {
  type Drain,
  type DrainClient,
  drainWithProcessors,
  drainWithStock,
  processorClient,
} from "./drain.ts";
import { type Filled, fillTopic, prepareTopic } from "./fill-topic.ts";
import type { Origin } from "./machine.ts";
import { isRight } from "./oracle.ts";
import { type Bench, figuresText } from "./results.ts";
import { openServers } from "./servers.ts";
import { median } from "./table.ts";
import { openAdmin, stockClient } from "./topics.ts";
import { throughputFigures } from "./throughput-figures.ts";
import { type ThroughputOptions, throughputOptions } from "./throughput-options.ts";

/** What was drained, and how. */
export type Report = Origin & {
  readonly servers: string;
  readonly options: ThroughputOptions;
  readonly topicBytes: number;
  readonly drains: readonly Drain[];
  readonly medians: readonly Medians[];
  /** Of the medians: events/s of adstream to those of kafkajs. */
  readonly rateRatio: number;
  /** Of the medians: CPU seconds of kafkajs to those of adstream. */
  readonly cpuRatio: number;
  /** The same of several processors to one; undefined where there was one. */
  readonly scaling: { readonly rateRatio: number; readonly cpuRatio: number } | undefined;
};

const measures = [
  "seconds",
  "eventsPerSecond",
  "cpuSecondsPerMillion",
  "cpuSecondsPerMillionRunning",
  "peakRssMiB",
] as const;
type Medians = Pick<Drain, "client" | (typeof measures)[number]>;

/** Several processors divide the partitions once, when all are there; Kafka's own default is 3 s. */
const togetherMs = 1_500;

/**
 * Fills a topic with seeded events and drains it with the processor and with a stock consumer, in turns.
 * @returns the exit code: 1 when a result is wrong
 */
export async function throughput(args: readonly string[], bench: Bench): Promise<number> {
  const options = throughputOptions(args);
  const report = await measureThroughput(options, bench.from);
  const figures = throughputFigures(report);
  process.stdout.write(
    options.json ? `${JSON.stringify(report, null, 2)}\n` : figuresText(bench.from, figures),
  );
  if (!allRight(report)) return 1;
  bench.save(figures);
  return 0;
}

export function allRight({ drains }: Report): boolean {
  return drains.every(({ rows }) => isRight(rows));
}

/** Drains the same topic `runs` times with each client, and says each on standard error. */
export async function measureThroughput(options: ThroughputOptions, from: Origin): Promise<Report> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  registerCodecs();
  const initialRebalanceDelayMs = options.processors > 1 ? togetherMs : 0;
  await using servers = await openServers({ initialRebalanceDelayMs });
  const kafka = stockClient(servers.brokers);
  const name = `bench-${randomBytes(4).toString("hex")}`;
  await using admin = await openAdmin(kafka);
  const topic = `${name}-events`;
  const place = { ...options, admin: admin.client, topic };
  const origin = await prepareTopic(place, servers.registryUrl);
  const filled = await fillTopic({ ...place, ...origin });
  try {
    const mib = (filled.bytes / 2 ** 20).toFixed(0);
    say(`${filled.records} records, ${mib} MiB in ${topic} on ${servers.description}`);
    const drains: Drain[] = [];
    const note = (drain: Drain): void => {
      say(line(drain));
      drains.push(drain);
    };
    for (let run = 0; run < options.runs; run++) {
      const shared = {
        ...filled,
        kafka,
        admin: admin.client,
        environment: servers.environment,
        topic,
        nodeArguments: profiling(options),
        under: options.under,
      };
      for (const processors of new Set([1, options.processors])) {
        const own = { ...shared, run: `${name}-adstream-${processors}-${run}` };
        note(await drainWithProcessors(own, processors));
      }
      note(await drainWithStock({ ...shared, run: `${name}-kafkajs-${run}` }));
    }
    return summarise(from, servers.description, options, filled, drains);
  } finally {
    await admin.client.deleteTopics({ topics: [topic] });
  }
}

function profiling({ profile }: ThroughputOptions): string[] {
  return profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
}

function summarise(
  from: Origin,
  servers: string,
  options: ThroughputOptions,
  filled: Filled,
  drains: readonly Drain[],
): Report {
  const ours = mediansOf("adstream", drains);
  const theirs = mediansOf("kafkajs", drains);
  const several =
    options.processors > 1 ? mediansOf(processorClient(options.processors), drains) : undefined;
  return {
    ...from,
    servers,
    options,
    topicBytes: filled.bytes,
    drains,
    medians: [ours, ...(several === undefined ? [] : [several]), theirs],
    ...ratios(ours, theirs),
    scaling: several && ratios(several, ours),
  };
}

function ratios(one: Medians, other: Medians): { rateRatio: number; cpuRatio: number } {
  return {
    rateRatio: one.eventsPerSecond / other.eventsPerSecond,
    cpuRatio: other.cpuSecondsPerMillion / one.cpuSecondsPerMillion,
  };
}

function mediansOf(client: DrainClient, drains: readonly Drain[]): Medians {
  const own = drains.filter((one) => one.client === client);
  const [first] = own;
  if (first === undefined) throw new Error(`nothing was drained by ${client}`);
  const figures = Object.fromEntries(
    measures.map((measure) => [measure, median(own.map((one) => one[measure]))]),
  );
  return { ...first, ...figures };
}

function line({ client, eventsPerSecond, cpuSecondsPerMillion, peakRssMiB, rows }: Drain): string {
  const rate = eventsPerSecond.toLocaleString("en");
  const wrong = rows.wrong + rows.missing + rows.extra;
  return `${client} ${rate} events/s, ${cpuSecondsPerMillion.toFixed(3)} CPU s/M, ${peakRssMiB.toFixed(0)} MiB, rows: ${rows.right} right, ${wrong} wrong`;
}
