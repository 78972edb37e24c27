import { type Event, isSound } from "./event.ts";
import type { CountedJob } from "./jobs/job.ts";
import { SeenIds } from "./seen-ids.ts";

/** Durations in milliseconds; the words are those of design section 3. */
export type CountRules = {
  readonly job: CountedJob;
  readonly windowSizeMs: number;
  readonly windowSlideMs: number;
  readonly watermarkDelayMs: number;
  readonly allowedLatenessMs: number;
  readonly maxFutureMs: number;
  /** How long an event id is remembered, in event time; absent: duplicates count. */
  readonly deduplicateHorizonMs?: number | undefined;
};

/** What one partition contributes to one document. */
export type ExpectedSlot = {
  count: number;
  /** Those of the job. */
  readonly figures: Record<string, number>;
  /** Changed after its window was final. */
  corrected: boolean;
};

/** One window of one partition. */
export type CountedWindow = {
  /** Epoch ms. */
  readonly start: number;
  /** By key. */
  readonly slots: ReadonlyMap<string, ExpectedSlot>;
  /** The watermark reached its end. */
  readonly closed: boolean;
};

export type LoggedRecord = {
  readonly offset: number;
  /** Kafka timestamp, epoch ms; -1 where it has none. */
  readonly recordTime: number;
  /** undefined where the value cannot be read. */
  readonly event: Event | undefined;
};

export type Outcome = "counted" | "late" | "dead" | "duplicate";

/** A watermark that does not follow from the log: a quiet partition's windows were closed before `nextOffset` came. */
export type Decision = { readonly nextOffset: number; readonly watermark: number };

/**
 * Counts one partition, one record at a time, as the definition reads: every window keeps its own sums, nothing is
 * shared between windows. Holds the windows that may still change and those nobody has taken.
 */
export class PartitionCounter {
  readonly tally: Record<Outcome, number> = { counted: 0, late: 0, dead: 0, duplicate: 0 };
  readonly #rules: CountRules;
  readonly #decisions: Decision[];
  readonly #seen: SeenIds | undefined;
  readonly #windows = new Map<number, Map<string, ExpectedSlot>>();
  #highest = -Infinity;
  #decided = -Infinity;
  #nextExpiry = -Infinity;

  /** @param decisions in the order of their offsets */
  constructor(rules: CountRules, decisions: readonly Decision[] = []) {
    this.#rules = rules;
    this.#decisions = [...decisions];
    const { deduplicateHorizonMs: horizonMs } = rules;
    this.#seen = horizonMs === undefined ? undefined : new SeenIds(horizonMs);
  }

  get watermark(): number {
    return Math.max(this.#highest - this.#rules.watermarkDelayMs, this.#decided);
  }

  /** Slots of windows in memory. */
  get heldSlots(): number {
    return [...this.#windows.values()].reduce((sum, slots) => sum + slots.size, 0);
  }

  add(record: LoggedRecord): Outcome {
    this.#decideBefore(record.offset);
    const outcome = this.#judge(record);
    this.tally[outcome] += 1;
    return outcome;
  }

  /** Windows that no later record can change, oldest first; they are forgotten. */
  takeExpired(): CountedWindow[] {
    const { windowSizeMs, allowedLatenessMs } = this.#rules;
    const through = this.watermark - windowSizeMs - allowedLatenessMs;
    if (through < this.#nextExpiry) return [];
    const starts = [...this.#windows.keys()];
    const expired = starts.filter((start) => start <= through).toSorted((a, b) => a - b);
    this.#nextExpiry = Math.min(...starts.filter((start) => start > through));
    return expired.map((start) => this.#take(start));
  }

  /** What is left at the end of the log, before `nextOffset`, oldest first. */
  takeRest(nextOffset: number): CountedWindow[] {
    this.#decideBefore(nextOffset);
    const starts = [...this.#windows.keys()].toSorted((a, b) => a - b);
    return starts.map((start) => this.#take(start));
  }

  #judge({ event, recordTime }: LoggedRecord): Outcome {
    const { maxFutureMs, windowSizeMs, allowedLatenessMs } = this.#rules;
    const stamped = recordTime >= 0;
    if (event === undefined || !isSound(event)) return "dead";
    if (stamped && event.time > recordTime + maxFutureMs) return "dead";
    if (this.#seen?.repeats(event, this.watermark) === true) return "duplicate";
    this.#highest = Math.max(
      this.#highest,
      stamped ? Math.min(event.time, recordTime) : event.time,
    );
    const { watermark } = this;
    const open = windowStarts(event.time, this.#rules).filter(
      (start) => start + windowSizeMs + allowedLatenessMs > watermark,
    );
    for (const start of open) this.#addTo(start, event, start + windowSizeMs <= watermark);
    return open.length > 0 ? "counted" : "late";
  }

  #addTo(start: number, event: Event, closed: boolean): void {
    let window = this.#windows.get(start);
    if (window === undefined) {
      window = new Map();
      this.#windows.set(start, window);
      this.#nextExpiry = Math.min(this.#nextExpiry, start);
    }
    const slot = window.get(event.key);
    if (slot === undefined) {
      window.set(event.key, { count: 1, figures: { ...event.figures }, corrected: closed });
      return;
    }
    slot.count += 1;
    addFigures(slot.figures, event.figures, this.#rules.job);
    if (closed) slot.corrected = true;
  }

  /** A decision closes a window that holds something and was open; anything else that says so is wrong, and ignored. */
  #decideBefore(offset: number): void {
    for (;;) {
      const [decision] = this.#decisions;
      if (decision === undefined || decision.nextOffset > offset) return;
      this.#decisions.shift();
      const { watermark } = decision;
      const holds = this.#windows.has(watermark - this.#rules.windowSizeMs);
      if (holds && watermark > this.watermark) this.#decided = watermark;
    }
  }

  #take(start: number): CountedWindow {
    const slots = this.#windows.get(start) ?? new Map<string, ExpectedSlot>();
    this.#windows.delete(start);
    return { start, slots, closed: start + this.#rules.windowSizeMs <= this.watermark };
  }
}

/** Adds up what is summed, and keeps the higher one of what is a maximum. */
export function addFigures(
  into: Record<string, number>,
  more: Readonly<Record<string, number>>,
  { figures }: CountedJob,
): void {
  for (const name in figures) {
    const [before = 0, value = 0] = [into[name], more[name]];
    into[name] = figures[name] === "sum" ? before + value : Math.max(before, value);
  }
}

/** Starts of the windows that hold `time`, newest first. */
function windowStarts(time: number, { windowSizeMs, windowSlideMs }: CountRules): number[] {
  const starts: number[] = [];
  let start = Math.floor(time / windowSlideMs) * windowSlideMs;
  for (; start > time - windowSizeMs; start -= windowSlideMs) starts.push(start);
  return starts;
}
