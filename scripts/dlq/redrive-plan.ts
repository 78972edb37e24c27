import { redriveHeaders } from "@adstream/contracts/dead-letter";
import type { OutgoingRecord } from "@adstream/kafka/outgoing-records";
import type { Letter } from "./letters.ts";
import type { RedriveLedger } from "./redrive-ledger.ts";

/** What is done with a letter; all but "send" leave it where it is. */
export type Decision =
  | "send"
  | "redriven before"
  | "value not kept"
  | "too large"
  | "redriven too often"
  | "of another topic"
  | "older than the log";

/** A record that failed so often is not a matter of trying again. */
export const maxRedrives = 5;

/** Judges a letter by what the log says was redriven. */
export function decide(
  { id, topic, time, dropped }: Letter,
  ledger: RedriveLedger,
  eventsTopic: string,
): Decision {
  if (topic !== eventsTopic) return "of another topic";
  if (ledger.has(id)) return "redriven before";
  if (dropped !== undefined) return "value not kept";
  if ((ledger.chainOf(id)?.count ?? 0) >= maxRedrives) return "redriven too often";
  return time < ledger.reachesBackTo ? "older than the log" : "send";
}

/**
 * The record that goes to the events topic: key and value as they were, and where they came from. Its time is now, where
 * the broker does not set it, but never before the original: the ledger is read from there.
 */
export function redrivenRecord(
  { id, key, value, time }: Letter,
  ledger: RedriveLedger,
  eventsTopic: string,
  nowMs: number,
): OutgoingRecord {
  const before = ledger.chainOf(id);
  return {
    topic: eventsTopic,
    key: key ?? id,
    value,
    timestamp: Math.max(nowMs, time),
    headers: {
      [redriveHeaders.origin]: id,
      [redriveHeaders.firstOrigin]: before?.firstOrigin ?? id,
      [redriveHeaders.count]: String((before?.count ?? 0) + 1),
    },
  };
}

/** Durations in milliseconds. */
export type LatenessRules = {
  readonly windowSizeMs: number;
  readonly windowSlideMs: number;
  readonly watermarkDelayMs: number;
  readonly allowedLatenessMs: number;
};

/** Whether an event would be late for all of its windows in a partition whose log has come to `logTime` (epoch ms). */
export function isLate(eventTime: number, logTime: number, rules: LatenessRules): boolean {
  const { windowSizeMs, windowSlideMs, watermarkDelayMs, allowedLatenessMs } = rules;
  const newestStart = Math.floor(eventTime / windowSlideMs) * windowSlideMs;
  return newestStart + windowSizeMs + allowedLatenessMs <= logTime - watermarkDelayMs;
}
