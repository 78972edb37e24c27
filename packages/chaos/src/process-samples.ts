import { readdirSync, readFileSync } from "node:fs";

/** What /proc says of a process; undefined when it is gone, or where there is no /proc. */
export type ProcSample = { readonly rssMiB: number; readonly fds: number };

export function procSample(pid: number): ProcSample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const rssKiB = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
    return { rssMiB: rssKiB / 1024, fds: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}

/** What a service says under `/metrics`. */
export type MetricsSample = {
  readonly heapMiB: number;
  /** Since the reading before. */
  readonly eventLoopP99Ms: number;
  /** Checkpoints written so far by their time: upper bound in ms -> how many took at most that. */
  readonly checkpoints: ReadonlyMap<number, number>;
};

const scrapeTimeoutMs = 2_000;

/** @returns undefined when the service does not answer */
export async function metricsSample(url: unknown): Promise<MetricsSample | undefined> {
  try {
    const signal = AbortSignal.timeout(scrapeTimeoutMs);
    const response = await fetch(new URL("/metrics", String(url)), { signal });
    return readMetrics(await response.text());
  } catch {
    return undefined;
  }
}

export function readMetrics(text: string): MetricsSample {
  const value = (name: string): number => {
    const line = text.split("\n").find((one) => one.startsWith(`adstream_${name} `));
    return Number(line?.split(" ").at(-1) ?? Number.NaN);
  };
  const buckets = text.matchAll(/^adstream_checkpoint_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm);
  const checkpoints = [...buckets].map(
    ([, bound, count]) =>
      [bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound) * 1_000, Number(count)] as const,
  );
  return {
    heapMiB: value('process_memory_bytes{kind="heap"}') / 2 ** 20,
    eventLoopP99Ms: value('event_loop_delay_seconds{quantile="0.99"}') * 1_000,
    checkpoints: new Map(checkpoints),
  };
}

/** The bucket that holds the given share: "at most so many ms". undefined of nothing. */
export function bucketQuantile(
  buckets: ReadonlyMap<number, number>,
  share: number,
): number | undefined {
  const sorted = [...buckets].toSorted(([a], [b]) => a - b);
  const all = sorted.at(-1)?.[1] ?? 0;
  return all === 0 ? undefined : sorted.find(([, count]) => count >= share * all)?.[0];
}
