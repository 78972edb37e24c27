import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";

const resolutionMs = 10;
const nanosPerSecond = 1e9;
const quantiles = [0.5, 0.99, 1] as const;

/**
 * Event-loop delay since the last scrape, CPU time and memory of this process. prom-client's own set is not used: it
 * installs observers that cannot be taken down again.
 */
export function processMetrics(registry: Registry): Disposable {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  registry.registerMetric(
    new Gauge({
      name: "adstream_event_loop_delay_seconds",
      help: "How late timers fired since the last scrape, beyond their resolution; 1 is the maximum",
      labelNames: ["quantile"],
      registers: [],
      collect() {
        for (const quantile of quantiles) {
          // The histogram holds the whole interval between two ticks of its timer; NaN before the first.
          const nanos = quantile === 1 ? delay.max : delay.percentile(quantile * 100);
          const late = delay.count === 0 ? 0 : nanos / nanosPerSecond - resolutionMs / 1_000;
          this.set({ quantile }, Math.max(0, late));
        }
        delay.reset();
      },
    }),
  );
  registry.registerMetric(
    new Counter({
      name: "adstream_process_cpu_seconds_total",
      help: "User and system time",
      registers: [],
      collect() {
        const { user, system } = process.cpuUsage();
        this.reset();
        this.inc((user + system) / 1e6);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: "adstream_process_memory_bytes",
      help: "Resident set and used heap",
      labelNames: ["kind"],
      registers: [],
      collect() {
        const { rss, heapUsed } = process.memoryUsage();
        this.set({ kind: "resident" }, rss);
        this.set({ kind: "heap" }, heapUsed);
      },
    }),
  );
  return { [Symbol.dispose]: () => delay.disable() };
}
