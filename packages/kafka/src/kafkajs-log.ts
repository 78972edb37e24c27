import { logLevel, type LogEntry, type logCreator } from "kafkajs";

/** Where log lines go; pino fits. Fields first, the message is constant. */
export type Log = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/** Fields of a kafkajs line that may be shown: no stacks, no payloads, nothing that could hold a credential. */
const shownFields = ["broker", "groupId", "topic", "partition", "error", "retryCount"] as const;
/** One line per outage instead of one per attempt and broker. */
const unreachableEveryMs = 30_000;
/** Whoever asked gets these as errors, or they are part of every rebalance. */
const expected = /^(Response |Crash: |The group is rebalancing|The coordinator is not aware)/;
const connectionNamespaces = new Set(["Connection", "BrokerPool"]);

/**
 * Sends kafkajs' warnings and errors to `log`, all as warnings: kafkajs retries, and what it gives up on reaches the
 * caller as an error. Connection trouble is one line naming the brokers, at most every 30 s.
 */
export function kafkajsLog(
  log: Log,
  brokers: readonly string[],
  nowMs: () => number = () => performance.now(),
): logCreator {
  let saidUnreachableAt = -Infinity;
  return () => (entry: LogEntry) => {
    // KAFKAJS_LOG_LEVEL could raise the level to one that prints payloads.
    if (entry.level > logLevel.WARN) return;
    const text = entry.log.message;
    const fields = { client: "kafkajs", text, ...shown(entry) };
    if (expected.test(text)) return log.debug(fields, "kafka client reported");
    if (!connectionNamespaces.has(entry.namespace)) return log.warn(fields, "kafka client warned");
    if (nowMs() - saidUnreachableAt < unreachableEveryMs) return;
    saidUnreachableAt = nowMs();
    log.warn({ ...fields, KAFKA_BROKERS: brokers.join(",") }, "kafka was not reachable, retrying");
  };
}

function shown(entry: LogEntry): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of shownFields) {
    const value: unknown = entry.log[name];
    if (typeof value === "string" || typeof value === "number") fields[name] = value;
  }
  return fields;
}
