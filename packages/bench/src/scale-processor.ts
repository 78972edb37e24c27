import { randomBytes } from "node:crypto";
import type { Kafka } from "kafkajs";
import { disorderMs } from "./ad-events.ts";
import { closeWindows, fillEvents, prepareTopic } from "./fill-topic.ts";
import { compareRows, type Verdict } from "./oracle.ts";
import { readResults } from "./read-results.ts";
import { startProcessors } from "./running-processors.ts";
import { openServers, type Servers } from "./servers.ts";
import { openAdmin, stockClient } from "./topics.ts";

export type ProcessorSpec = {
  readonly ads: readonly number[];
  readonly events: number;
  /** Of each number of ads, in turns. */
  readonly runs: number;
};

/** One run of the whole processor. */
export type ProcessorRun = {
  readonly ads: number;
  /** From when it may read to the last event applied; every window is still open then. */
  readonly cpuSecondsPerMillion: number;
  readonly peakRssMiB: number;
  /** Of the windows, closed afterwards. */
  readonly rows: Verdict;
};

/** So long that all events lie in one; with no result before it closes, what an event costs is measured alone. */
const window = { sizeMs: 3_600_000, slideMs: 3_600_000 };
const emit = { EMIT: "final" };
const partitions = 4;

/** Lets one processor read as many events of few ads as of many. */
export async function measureProcessor({
  ads,
  events,
  runs,
}: ProcessorSpec): Promise<ProcessorRun[]> {
  await using servers = await openServers();
  const kafka = stockClient(servers.brokers);
  const done: ProcessorRun[] = [];
  for (let run = 0; run < runs; run++) {
    for (const some of ads) {
      const measured = await measureOne(kafka, servers, some, events);
      const { cpuSecondsPerMillion, rows } = measured;
      process.stderr.write(
        `${some} ads: ${cpuSecondsPerMillion.toFixed(3)} CPU s/M, ${rows.right} rows right\n`,
      );
      done.push(measured);
    }
  }
  return done;
}

async function measureOne(
  kafka: Kafka,
  servers: Servers,
  ads: number,
  events: number,
): Promise<ProcessorRun> {
  await using opened = await openAdmin(kafka);
  const admin = opened.client;
  const run = `bench-${randomBytes(4).toString("hex")}`;
  const topic = `${run}-events`;
  const load = { admin, topic, partitions, codec: "none", events, ads, seed: 1, window } as const;
  const { schemaId, startMs } = await prepareTopic(load, servers.registryUrl);
  try {
    // No event may be of the window before.
    const options = { ...load, schemaId, startMs: startMs + disorderMs };
    const filled = await fillEvents(options);
    const environment = { ...servers.environment, ...emit };
    await using processor = await startProcessors({ admin, environment, topic, run, window }, 1);
    await processor.applied(filled.records);
    const cpuMs = processor.cpuReadingMs();
    const closing = await closeWindows(options, filled.lastTime);
    await processor.applied(filled.records + closing.records);
    const { peakRssMiB } = await processor.stop();
    const { rows } = await readResults(kafka, admin, processor.resultsTopic);
    const cpuSecondsPerMillion = (cpuMs * 1_000) / events;
    return { ads, cpuSecondsPerMillion, peakRssMiB, rows: compareRows(filled.expected, rows) };
  } finally {
    await admin.deleteTopics({ topics: [topic] });
  }
}
