import { openLog } from "@adstream/service/log";
import { readEnvironment } from "@adstream/service/environment";
import { Registry } from "@adstream/service/metrics";

import { environment } from "../../src/config.ts";
import { runSink } from "../../src/run-sink.ts";

/** The sink inside of this process, with what it said. */
export type RunningSink = {
  readonly metrics: Registry;
  readonly lines: Record<string, unknown>[];
  readonly statuses: Record<string, unknown>[];
  readonly ended: Promise<void>;
  /** Ends it as a signal does. @throws what it ended with */
  stop(): Promise<void>;
};

export function startSink(env: Readonly<Record<string, string>>): RunningSink {
  const stopping = new AbortController();
  const metrics = new Registry();
  const lines: Record<string, unknown>[] = [];
  const statuses: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const ended = runSink({
    config: readEnvironment(environment, { env, file: null }),
    log: openLog({ name: "sink", level: "info", destination }),
    metrics,
    signal: stopping.signal,
    ready() {},
    status: (fields) => void statuses.push({ ...fields }),
  });
  ended.catch(() => {}); // Read when the sink is stopped.
  return {
    metrics,
    lines,
    statuses,
    ended,
    stop() {
      stopping.abort();
      return ended;
    },
  };
}

/** The value of one series, 0 before its first. */
export async function metricValue(
  metrics: Registry,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const metric = await metrics.getSingleMetric(name)?.get();
  const wanted = JSON.stringify(labels);
  return metric?.values.find((value) => JSON.stringify(value.labels) === wanted)?.value ?? 0;
}
