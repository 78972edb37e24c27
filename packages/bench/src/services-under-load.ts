import { fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Admin, Kafka } from "kafkajs";
import type { LatencyOptions } from "./latency-options.ts";
import type { LoadNews, LoadOptions, LoadReport } from "./load-generator.ts";
import { type MeasuredProcess, startMeasured } from "./measured-process.ts";
import { latencyWindow } from "./window-times.ts";

/** A service under the load. */
export type ServiceCost = {
  /** User and system time while measured windows were filled, by the minute. */
  readonly cpuSecondsPerMinute: number;
  /** From exec to exit. */
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
};

export type RunContext = {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly environment: Readonly<Record<string, string>>;
  readonly brokers: readonly string[];
  readonly mongoUrl: string;
  /** Tells topics, groups and collections of this run from others. */
  readonly name: string;
  readonly topics: Readonly<Record<"EVENTS_TOPIC" | "RESULTS_TOPIC", string>> &
    Readonly<Record<string, string>>;
  readonly schemaId: number;
};

/** Of a load, what its user decides. */
export type LoadSetting = Pick<
  LoadOptions,
  "model" | "rate" | "producers" | "ads" | "seed" | "durationMs" | "partitions" | "codec"
>;

const program = (service: string): string =>
  fileURLToPath(new URL(`../../../packages/${service}/src/main.ts`, import.meta.url));
const loadProgram = fileURLToPath(import.meta.resolve("./load-generator.ts"));
const lingerMs = 5;
/** Behind the end of every window, as the log sees it. */
const closingMs = latencyWindow.sizeMs + latencyWindow.delayMs;
const readyPatienceMs = 30_000;
const minuteMs = 60_000;

export type Service = { readonly child: MeasuredProcess; readonly assigned: Promise<void> };

/** @param onMessage status, each second */
export function startService(
  service: "processor" | "sink",
  options: Pick<LatencyOptions, "emitInterval" | "onlyFinal" | "profile">,
  { environment, mongoUrl, name, topics }: RunContext,
  checkpoints: string,
  onMessage: (message: unknown) => void = () => {},
): Service {
  const assigned = Promise.withResolvers<void>();
  const { emitInterval, onlyFinal, profile } = options;
  const child = startMeasured({
    program: program(service),
    nodeArguments:
      profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${join(profile, service)}`],
    environment: {
      ...environment,
      ...topics,
      MONGODB_URL: mongoUrl,
      MONGODB_DATABASE: name,
      PROCESSOR_GROUP: name,
      SINK_GROUP: `${name}-sink`,
      WINDOW_SIZE: `${latencyWindow.sizeMs}ms`,
      WINDOW_SLIDE: `${latencyWindow.sizeMs}ms`,
      WATERMARK_DELAY: `${latencyWindow.delayMs}ms`,
      ALLOWED_LATENESS: "0s",
      ...(emitInterval === undefined ? {} : { EMIT_INTERVAL: emitInterval }),
      ...(onlyFinal ? { EMIT: "final" } : {}),
      CHECKPOINT_URL: `file:${checkpoints}`,
      HTTP_PORT: "0",
      LOG_LEVEL: "info",
    },
    onLine(line) {
      if (line.includes(`"partitions assigned"`)) assigned.resolve();
    },
    onMessage,
  });
  child.usage.catch(assigned.reject);
  setTimeout(
    () => assigned.reject(new Error(`the ${service} got no partitions`)),
    readyPatienceMs,
  ).unref();
  return { child, assigned: assigned.promise };
}

/** Stops it. @param cpuMs used while measured windows were filled */
export async function cost(
  child: MeasuredProcess,
  cpuMs: number,
  { durationMs }: Pick<LatencyOptions, "durationMs">,
): Promise<ServiceCost> {
  child.stop();
  const usage = await child.usage;
  return {
    cpuSecondsPerMinute: (cpuMs / (durationMs - latencyWindow.sizeMs)) * (minuteMs / 1_000),
    cpuSeconds: usage.cpuMs / 1_000,
    peakRssMiB: usage.peakRssMiB,
  };
}

/**
 * Puts the load on the services until its last event is sent.
 * @returns with the CPU that each service used while measured windows were filled, ms
 */
export async function loadServices(
  services: readonly Service[],
  setting: LoadSetting,
  context: RunContext,
): Promise<{ startMs: number; cpuMs: readonly number[]; load: LoadReport }> {
  const started = startLoad(setting, context);
  const startMs = await started.startMs;
  await until(startMs + latencyWindow.sizeMs);
  const before = services.map(({ child }) => child.cpuSoFarMs());
  await until(startMs + setting.durationMs);
  const cpuMs = services.map(({ child }, at) => child.cpuSoFarMs() - (before[at] ?? 0));
  return { startMs, cpuMs, load: await started.report };
}

function startLoad(
  options: LoadSetting,
  { brokers, topics, schemaId }: RunContext,
): { startMs: Promise<number>; report: Promise<LoadReport> } {
  const started = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<LoadReport>();
  ended.promise.catch(() => {}); // Awaited when the load is over.
  const topic = topics.EVENTS_TOPIC;
  const load: LoadOptions = { ...options, brokers, topic, schemaId, lingerMs, closingMs };
  const child = fork(loadProgram, { env: { ...process.env, LOAD: JSON.stringify(load) } });
  child.on("message", (news: LoadNews) => {
    if ("startMs" in news) started.resolve(news.startMs);
    else ended.resolve(news);
  });
  child.once("exit", (code) => {
    const failure = new Error(`the load ended with ${code}`);
    started.reject(failure);
    ended.reject(failure);
  });
  return { startMs: started.promise, report: ended.promise };
}

export async function until(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - Date.now())));
}
