import { Counter, Gauge, Histogram, type Registry } from "@adstream/service/metrics";
import type { WindowsTally } from "./verify-windows.ts";

/** How a sample came out; "expired" where the log no longer reaches back far enough, "failed" where a server was away. */
export type RoundResult = "equal" | "different" | "expired" | "empty" | "failed";

export type VerifyMetrics = {
  compared(windows: WindowsTally): void;
  round(result: RoundResult, tookMs: number, nowMs: number): void;
};

const verdicts = ["equal", "different", "missing", "extra"] as const;

/** Every figure is since the start of the process. */
export function verifyMetrics(registry: Registry): VerifyMetrics {
  const registers = [registry];
  const windows = new Counter({
    name: "adstream_verify_windows_total",
    help: "Windows of keys held against the log; all but equal ones are wrong in MongoDB",
    labelNames: ["result"],
    registers,
  });
  for (const result of verdicts) windows.inc({ result }, 0);
  const rounds = new Counter({
    name: "adstream_verify_rounds_total",
    help: "Samples by what came out",
    labelNames: ["result"],
    registers,
  });
  const lastDifference = new Gauge({
    name: "adstream_verify_last_difference_timestamp_seconds",
    help: "Unix time at which something wrong was found last; 0: never",
    registers,
  });
  const lastRound = new Gauge({
    name: "adstream_verify_last_round_timestamp_seconds",
    help: "Unix time of the last sample that could be compared",
    registers,
  });
  const seconds = new Histogram({
    name: "adstream_verify_round_seconds",
    help: "How long samples take",
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300],
    registers,
  });
  return {
    compared(tally) {
      for (const result of verdicts) windows.inc({ result }, tally[result]);
    },
    round(result, tookMs, nowMs) {
      rounds.inc({ result });
      seconds.observe(tookMs / 1_000);
      if (result === "different") lastDifference.set(nowMs / 1_000);
      if (result === "different" || result === "equal") lastRound.set(nowMs / 1_000);
    },
  };
}
