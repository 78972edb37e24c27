import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startCommand } from "@adstream/devstack/start-command";
import type { Arena } from "./arena.ts";
import type { CompareOptions } from "./compare-options.ts";
import { engineOf, type PeerName, type Peers } from "./peers.ts";
import { ProduceTimes } from "./produce-times.ts";
import { readAll, readResultRecords, type ResultRecord } from "./read-results.ts";
import { resultLatency } from "./result-latency.ts";
import type { Cell, Figures } from "./results.ts";
import { latencyWindow } from "./window-times.ts";

/** One engine under the steady load; times in ms. */
export type Latency = {
  readonly name: string;
  readonly close: Times | undefined;
  readonly first: Times | undefined;
  readonly cpuSeconds: number;
  readonly peakRssMb: number;
  /** (ad, window) rows with a result, and those with a wrong one or none. */
  readonly right: number;
  readonly wrong: number;
};
type Times = { readonly p50: number; readonly p99: number; readonly max: number };

const root = fileURLToPath(new URL("../../../", import.meta.url));
const processor = "packages/processor/src/main.ts";
/** Where the harness puts the load of each engine. */
const loadTopic = "latency-in";

/**
 * The harness starts our processor and puts the load on it like on the others, and measures what it uses. Results are in
 * Avro, which it does not read, so their times are taken here, by the same definitions.
 */
export async function measureLatencies(
  names: readonly PeerName[],
  peers: Peers,
  { kafka, admin, environment, tool, run }: Arena,
  { rate, seconds, emit }: CompareOptions,
): Promise<Latency[]> {
  const topics = {
    RESULTS_TOPIC: `${run}-results`,
    DEAD_LETTER_TOPIC: `${run}-dead`,
    LATE_TOPIC: `${run}-late`,
  };
  const configEntries = [{ name: "message.timestamp.type", value: "LogAppendTime" }];
  await admin.createTopics({
    waitForLeaders: true,
    topics: Object.values(topics).map((topic) => ({ topic, numPartitions: 4, configEntries })),
  });
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-bench-"));
  try {
    const command = shellCommand({
      ...environment,
      ...topics,
      EVENTS_TOPIC: loadTopic,
      PROCESSOR_GROUP: run,
      CHECKPOINT_URL: `file:${checkpoints}`,
      WINDOW_SIZE: `${latencyWindow.sizeMs}ms`,
      WINDOW_SLIDE: `${latencyWindow.sizeMs}ms`,
      WATERMARK_DELAY: `${latencyWindow.delayMs}ms`,
      ALLOWED_LATENESS: "0s",
      ...(emit === "close" ? { EMIT: "final" } : { EMIT: "early", EMIT_INTERVAL: "10ms" }),
      HTTP_PORT: "0",
      LOG_LEVEL: "info",
    });
    const load = ["--rate", `${rate}`, "--seconds", `${seconds}`, "--emit", emit];
    const engines = [...names.map(engineOf), ...load, "--command", command];
    const lines = await peers.run("latency", [...engines, ...tool]);
    const results = await readResultRecords(kafka, admin, topics.RESULTS_TOPIC);
    const produced = new ProduceTimes();
    await readAll(kafka, admin, loadTopic, (value, at) => produced.add(value, at));
    const theirs = names.map((name, at) => latencyOf(name, lines[at]));
    return [ourLatency(lines.at(-1), produced.windowTimes(), results), ...theirs];
  } finally {
    await rm(checkpoints, { recursive: true });
    await admin.deleteTopics({ topics: Object.values(topics) });
  }
}

/** Becomes the processor itself, so that no shell is measured with it. */
function shellCommand(environment: Readonly<Record<string, string>>): string {
  const { variables = {}, flags = [] } = startCommand(processor) ?? {};
  const words = [
    ...Object.entries({ ...variables, ...environment }).map(([name, value]) => `${name}=${value}`),
    process.execPath,
    ...flags,
    join(root, processor),
  ];
  return `exec env ${words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ")}`;
}

/** @param line of the peers' `latency --json` */
export function latencyOf(name: string, line: unknown): Latency {
  const value = (key: string): unknown => Reflect.get(Object(line), key);
  const times = (key: string): Times | undefined => {
    const { p50, p99, max } = Object(value(key));
    return p50 === undefined ? undefined : { p50, p99, max };
  };
  const wrong = Number(value("wrong"));
  return {
    name,
    close: times("close_ms"),
    first: tellsUpdates(line) ? times("event_to_first_result_ms") : undefined,
    cpuSeconds: Number(value("cpu_s_under_load") ?? Number.NaN),
    peakRssMb: Number(value("peak_rss_mb")),
    right: Number(value("rows")) - wrong,
    wrong: wrong + Number(value("missing")),
  };
}

/** What they used by the harness's account, what came out by our own. */
export function ourLatency(
  line: unknown,
  produced: ReturnType<ProduceTimes["windowTimes"]>,
  results: ReadonlyMap<string, readonly ResultRecord[]>,
): Latency {
  const used = latencyOf("adstream", line);
  // When a window is due to close is not known of a load that is not ours.
  const times = { ...produced, closedMs: new Map(), partitionOf: () => 0 };
  const { lastEventToFinal, eventToFirst } = resultLatency(times, results);
  const measured = new Set(produced.measured);
  const rows = [...produced.dueMs].filter(([key]) => measured.has(Number(key.split("/")[0])));
  const right = rows.filter(([key, { length }]) =>
    results.get(key)?.some(({ status, count }) => status === "final" && count === length),
  );
  return {
    ...used,
    close: lastEventToFinal,
    first: tellsUpdates(line) ? eventToFirst : undefined,
    right: right.length,
    wrong: rows.length - right.length,
  };
}

function tellsUpdates(line: unknown): boolean {
  return Reflect.get(Object(line), "emit") === "update";
}

export function latencyFigures(
  latencies: readonly Latency[],
  { rate, seconds, emit, codec }: CompareOptions,
): Figures {
  const times = (name: string): { name: string }[] =>
    ["p50", "p99", "max"].map((which) => ({ name: `${name} ${which} ms` }));
  return {
    setting: `${rate} events/s for ${seconds} s on one Apache Kafka, codec ${codec}, windows of 10 s, results ${emit === "close" ? "when a window closes" : "with each update"}`,
    tables: [
      {
        caption:
          "close: from a window's last event to its last result; first: from an event to the first result that counts it",
        columns: [
          { name: "engine" },
          ...times("close"),
          ...(emit === "update" ? times("first") : []),
          { name: "CPU s under load", digits: 1 },
          { name: "RSS MB" },
          { name: "exact" },
        ],
        rows: latencies.map((one) => [
          one.name,
          ...timeCells(one.close),
          ...(emit === "update" ? timeCells(one.first) : []),
          Number.isFinite(one.cpuSeconds) ? one.cpuSeconds : null,
          one.peakRssMb,
          one.right > 0 && one.wrong === 0 ? "yes" : `no: ${one.wrong} rows`,
        ]),
      },
    ],
    raw: latencies,
  };
}

function timeCells(times: Times | undefined): Cell[] {
  return times === undefined ? [null, null, null] : [times.p50, times.p99, times.max];
}
