import type { LoggedRecord } from "./logged-records.ts";

/** What the job computes, in the oracle's own words. */
export type OracleJob = {
  readonly window: { readonly sizeMs: number; readonly slideMs: number };
  readonly watermarkDelayMs: number;
  readonly allowedLatenessMs: number;
  readonly maxFutureMs: number;
  readonly sumCount: number;
  readonly maxCount?: number;
  readonly deduplicate?: { readonly horizonMs: number };
};

/** The log of one partition: records, and the places where somebody judged it quiet at log time `now`. */
export type OracleEntry =
  | { readonly record: LoggedRecord }
  | { readonly quietAt: number; readonly nextOffset: number };

export type OracleResult = {
  readonly key: string;
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly version: number;
  readonly status: "early" | "final" | "corrected";
  readonly records: number;
  readonly maxEventTime: number;
  readonly maxRecordTime: number;
  readonly sums: readonly number[];
  /** Without it the job has none. */
  readonly maxima?: readonly number[];
};

export type OracleOutcome = {
  /** Slot -> what it says in the end. */
  readonly results: ReadonlyMap<string, OracleResult>;
  /** Slot and version -> everything it has ever said. */
  readonly history: ReadonlyMap<string, OracleResult>;
  readonly lateOffsets: readonly number[];
  readonly deadOffsets: readonly number[];
  readonly duplicateOffsets: readonly number[];
  readonly watermark: number;
};

export function slotName(key: string, windowStart: number): string {
  return `${windowStart}/${key}`;
}

/**
 * The naive batch program that the engine is held against: one map entry for each (key, window), each record loops over
 * its windows, every rule is written as design section 3 says it. Shares no code with the engine.
 */
export function batchOracle(job: OracleJob, entries: readonly OracleEntry[]): OracleOutcome {
  const { sizeMs, slideMs } = job.window;
  const results = new Map<string, OracleResult>();
  const history = new Map<string, OracleResult>();
  const lateOffsets: number[] = [];
  const deadOffsets: number[] = [];
  const duplicateOffsets: number[] = [];
  /** Event id -> event time of the record that was accepted under it last. */
  const accepted = new Map<string, number>();
  let highest = Number.NEGATIVE_INFINITY;
  let watermark = Number.NEGATIVE_INFINITY;

  const say = (result: OracleResult): void => {
    const slot = slotName(result.key, result.windowStart);
    results.set(slot, result);
    history.set(`${slot}@${result.version}`, result);
  };
  const advanceTo = (next: number, version: number): void => {
    if (next <= watermark) return;
    const closing = [...results.values()].filter(
      ({ windowEnd }) => windowEnd > watermark && windowEnd <= next,
    );
    for (const result of closing) say({ ...result, status: "final", version });
    watermark = next;
  };
  const count = (record: LoggedRecord): void => {
    let late = true;
    // Adding 0 turns the -0 of a rounded negative fraction into 0.
    let start = slideMs * Math.ceil((record.eventTime - sizeMs) / slideMs) + 0;
    if (start + sizeMs <= record.eventTime) start += slideMs;
    for (; start <= record.eventTime; start += slideMs) {
      if (start + sizeMs + job.allowedLatenessMs <= watermark) continue;
      late = false;
      say(added(results.get(slotName(record.key, start)), record, start, job, watermark));
    }
    if (late) {
      lateOffsets.push(record.offset);
      return;
    }
    const timed = record.recordTime < 0 ? record.eventTime : record.recordTime;
    highest = Math.max(highest, Math.min(record.eventTime, timed));
    advanceTo(highest - job.watermarkDelayMs, 2 * (record.offset + 1));
  };

  const repeats = ({ id = "", eventTime }: LoggedRecord): boolean => {
    if (job.deduplicate === undefined || id === "") return false;
    const before = accepted.get(id);
    if (before !== undefined && before + job.deduplicate.horizonMs >= watermark) return true;
    accepted.set(id, eventTime);
    return false;
  };

  for (const entry of entries) {
    if ("quietAt" in entry) {
      const ends = [...results.values()]
        .map(({ windowEnd }) => windowEnd)
        .filter((end) => end > watermark && end < entry.quietAt - job.watermarkDelayMs);
      if (ends.length > 0) advanceTo(Math.max(...ends), 2 * entry.nextOffset + 1);
    } else if (rejectedBy(job, entry.record)) deadOffsets.push(entry.record.offset);
    else if (repeats(entry.record)) duplicateOffsets.push(entry.record.offset);
    else count(entry.record);
  }
  return { results, history, lateOffsets, deadOffsets, duplicateOffsets, watermark };
}

function rejectedBy(job: OracleJob, { rejected, recordTime, eventTime }: LoggedRecord): boolean {
  if (rejected !== "accepted") return true;
  return recordTime !== -1 && eventTime - recordTime > job.maxFutureMs;
}

function added(
  before: OracleResult | undefined,
  record: LoggedRecord,
  windowStart: number,
  job: OracleJob,
  watermark: number,
): OracleResult {
  const windowEnd = windowStart + job.window.sizeMs;
  const sums = Array.from(
    { length: job.sumCount },
    (_, sum) => (before?.sums[sum] ?? 0) + (record.values[sum] ?? 0),
  );
  const maxima = record.values
    .slice(job.sumCount)
    .map((value, max) => Math.max(before?.maxima?.[max] ?? value, value));
  return {
    key: record.key,
    windowStart,
    windowEnd,
    version: 2 * (record.offset + 1),
    status: windowEnd <= watermark ? "corrected" : "early",
    records: (before?.records ?? 0) + 1,
    maxEventTime: Math.max(before?.maxEventTime ?? record.eventTime, record.eventTime),
    maxRecordTime: Math.max(before?.maxRecordTime ?? -1, record.recordTime),
    sums,
    ...(job.maxCount !== undefined && { maxima }),
  };
}
