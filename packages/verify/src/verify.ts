import type { Collection } from "mongodb";
import type { Kafka } from "kafkajs";
import type { CompareRules } from "./compare-window.ts";
import {
  type CountedWindow,
  type CountRules,
  type Decision,
  type Outcome,
  PartitionCounter,
} from "./count-partition.ts";
import { eventDecoder, type EventValues, type RegistryAddress } from "./decode-event.ts";
import { decisionsIn, mongoDocuments, type WindowRange } from "./documents.ts";
import { OffsetSet } from "./offset-set.ts";
import { openRawTopic, type RawTopic, type Span, type Spans, topicSpans } from "./raw-topic.ts";
import { createAudit, type PartitionAudit, readPartition } from "./read-partition.ts";
import { readSideTopic, type SideTopic } from "./side-topics.ts";
import { verifyWindows, type WindowsTally } from "./verify-windows.ts";

/** What is verified: the servers, the names and the rules by which was counted. */
export type VerifyTarget = {
  readonly kafka: Kafka;
  readonly registry: RegistryAddress;
  /** Of the values of events. */
  readonly format: EventValues["format"];
  readonly topics: Readonly<Record<"events" | "deadLetters" | "late", string>>;
  readonly collection: Collection;
  readonly rules: CountRules;
  /** Results of open windows are published (EMIT=early). */
  readonly early: boolean;
};

export type VerifyScope = {
  /** Starts of windows; everything when absent. */
  readonly range?: WindowRange;
  /** All when absent. */
  readonly partition?: number;
  /** How far ahead of its record an event may lie and still be found; `maxFutureMs` is exact. */
  readonly marginMs?: number;
  /** Passes over what may still change. */
  readonly onlyClosed?: boolean;
  /** Ends reading. */
  readonly signal?: AbortSignal;
};

export type Verification = {
  readonly range: WindowRange | undefined;
  readonly windows: WindowsTally;
  /** Records read, by what they have to become. */
  readonly records: Readonly<Record<Outcome, number>>;
  readonly audits: ReadonlyMap<number, PartitionAudit>;
  /** Distinct origins in the side topics; undefined where only a range was read. */
  readonly letters: Readonly<Record<"dead" | "late", number>> | undefined;
  /** Origins that were redriven more than once. */
  readonly redrivenTwice: readonly string[];
  /** Partitions whose log no longer reaches back far enough: differences there prove nothing. */
  readonly expired: readonly number[];
  /** Idle decisions found. */
  readonly decisions: number;
};

/**
 * Recounts the log and compares.
 * @throws when a server does not answer, or the log does not go on for 30 s
 * @throws the signal's reason
 */
export async function verify(target: VerifyTarget, scope: VerifyScope = {}): Promise<Verification> {
  const { kafka, topics, rules, early } = target;
  const { range, partition, onlyClosed = false, signal } = scope;
  const since = range === undefined ? 0 : Math.max(0, range.from - marginOf(target, scope));
  const all = await topicSpans(kafka, topics.events, since);
  const spans = new Map([...all].filter(([one]) => partition === undefined || one === partition));
  const sides = await readSides(target, scope, spans, since);
  const documents = mongoDocuments(target.collection);
  const decisions = await decisionsIn(documents.read(range && reachOfDecisions(range, rules)));
  await using raw = await openRawTopic({ kafka, topic: topics.events, spans, signal });
  const reading = openReadings({ target, scope, spans, sides, decisions, raw });
  const compare: CompareRules = {
    windowSizeMs: rules.windowSizeMs,
    job: rules.job,
    ends: new Map([...spans].map(([one, { to }]) => [one, to])),
    allPartitions: partition === undefined,
    early,
    onlyClosed,
  };
  const windows = await verifyWindows(
    { partitions: reading.partitions, documents: documents.read(range) },
    compare,
  );
  const records = { counted: 0, late: 0, dead: 0, duplicate: 0 };
  for (const { tally } of reading.counters) {
    for (const outcome of outcomes) records[outcome] += tally[outcome];
  }
  return {
    range,
    windows,
    records,
    audits: reading.audits,
    letters:
      sides.late === undefined
        ? undefined
        : { dead: sides.dead.different, late: sides.late.different },
    redrivenTwice: reading.redrivenTwice,
    expired: [...spans].filter(([, span]) => hasExpired(span)).map(([one]) => one),
    decisions: [...decisions.values()].reduce((sum, of) => sum + of.length, 0),
  };
}

const outcomes = ["counted", "late", "dead", "duplicate"] as const;

function marginOf({ rules }: VerifyTarget, { marginMs = rules.maxFutureMs }: VerifyScope): number {
  return marginMs + (rules.deduplicateHorizonMs ?? 0);
}

/** Where retention took records that could matter: whatever lay before the first one may have been counted, too. */
function hasExpired({ low, from }: Span): boolean {
  return low > 0 && from === low;
}

/**
 * Windows whose decisions may have made a record late for a window of the range: a decision goes no further than the
 * end of a window that holds something, and nothing lies further ahead of the watermark than this.
 */
function reachOfDecisions({ from, to }: WindowRange, rules: CountRules): WindowRange {
  const { windowSizeMs, watermarkDelayMs, allowedLatenessMs, maxFutureMs } = rules;
  const ahead = 2 * windowSizeMs + allowedLatenessMs + watermarkDelayMs + maxFutureMs;
  return { from: from - windowSizeMs, to: to + ahead };
}

type Sides = { readonly dead: SideTopic; readonly late: SideTopic | undefined };

/** In a range late records are not looked for: which of the first ones are late depends on what came before. */
async function readSides(
  { kafka, topics }: VerifyTarget,
  { range, signal }: VerifyScope,
  spans: Spans,
  sinceMs: number,
): Promise<Sides> {
  const eventsTopic = topics.events;
  const read = (topic: string): Promise<SideTopic> =>
    readSideTopic({ kafka, topic, eventsTopic, spans, sinceMs, signal });
  const dead = await read(topics.deadLetters);
  return { dead, late: range === undefined ? await read(topics.late) : undefined };
}

type ReadingOptions = {
  readonly target: VerifyTarget;
  readonly scope: VerifyScope;
  readonly spans: Spans;
  readonly sides: Sides;
  readonly decisions: ReadonlyMap<number, readonly Decision[]>;
  readonly raw: RawTopic;
};

type Readings = {
  readonly partitions: ReadonlyMap<number, AsyncIterable<CountedWindow>>;
  readonly counters: readonly PartitionCounter[];
  readonly audits: ReadonlyMap<number, PartitionAudit>;
  readonly redrivenTwice: readonly string[];
};

function openReadings({ target, scope, spans, sides, decisions, raw }: ReadingOptions): Readings {
  const { rules, registry, format } = target;
  const { range } = scope;
  const withIds = rules.deduplicateHorizonMs !== undefined;
  const decode = eventDecoder({ job: rules.job, format, registry, withIds });
  const partitions = new Map<number, AsyncIterable<CountedWindow>>();
  const counters: PartitionCounter[] = [];
  const audits = new Map<number, PartitionAudit>();
  const once = new Set<string>();
  const redrivenTwice: string[] = [];
  const none = new OffsetSet();
  for (const [partition, batches] of raw.partitions) {
    const counter = new PartitionCounter(rules, decisions.get(partition));
    const audit = createAudit();
    counters.push(counter);
    audits.set(partition, audit);
    const letters = {
      dead: sides.dead.origins.get(partition) ?? none,
      late: sides.late?.origins.get(partition) ?? none,
      decided: sides.dead.decided.get(partition) ?? none,
    };
    const reading = readPartition({
      batches,
      decode,
      counter,
      letters,
      audit,
      end: spans.get(partition)?.to ?? 0,
      range,
      enough:
        range === undefined ? Infinity : range.to + rules.windowSizeMs + rules.allowedLatenessMs,
      checkLate: range === undefined,
      redriven(origin) {
        if (once.has(origin)) redrivenTwice.push(origin);
        once.add(origin);
      },
    });
    partitions.set(partition, reading);
  }
  return { partitions, counters, audits, redrivenTwice };
}
