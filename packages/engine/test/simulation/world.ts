import type { ErrorCode } from "../../src/errors.ts";
import type { JobVersion } from "./job-versions.ts";
import type { FaultPlan } from "./faults.ts";
import { type Random, seededRandom } from "./random.ts";
import { Scheduler } from "./scheduler.ts";

/** Things a run should meet now and then; a simulation that never does proves little. */
export const sights = [
  "fenced",
  "ambiguous",
  "fallback",
  "delta",
  "delta taken over",
  "base rots",
  "zombie publish",
  "decision",
  "decision taken over",
  "schema decision",
  "rebalance during flush",
  "kept task",
  "reclaim",
  "kill",
  "freeze",
  "store outage",
  "document race",
  "document outage",
  "result superseded",
  "late record",
  "dead letter",
  "correction",
  "canary compared",
  "lost answer",
  "late answer",
  "records expire",
  "topic grows",
  "create lands late",
  "intake limit",
  "duplicate",
  "upgrade crossing",
  "slot emptied",
  "old code refused",
  "gap accepted",
  "halt: records expired",
  "halt: log replaced",
  "offset out of range",
] as const;
export type Sight = (typeof sights)[number];

/** Wall time at the start of every run, epoch ms. */
export const epochMs = 1_700_000_000_000;
const keptLines = 5_000;

/** What all parts of one run share: time, chance, the trace, and what was seen and found. */
export class World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly seen = new Map<Sight, number>();
  /** What contradicts the promise; the run ends at the first one. */
  readonly violations: string[] = [];
  /** Faults happen only while this is true. */
  faulty = true;
  /** Whether anything happened that may make dead letters and late records repeat. */
  unclean = false;
  /** Codes a process may end with because of what was done to the log; an operator must decide about most of them. */
  readonly excused = new Set<ErrorCode>();
  /** What stopped the pipeline for good: nothing more is to be expected of this run. */
  halted: ErrorCode | undefined;
  /** Newest version of the step function that is rolled out. */
  newestVersion: JobVersion = 1;
  /** Some process of the older version found state of the newer one: no more of them are started. */
  onlyNewest = false;
  /** The operator starts processes with leave to go on over what retention removed. */
  gapsAccepted = false;
  /** When the slowest request so far is answered. */
  slowUntilMs = 0;
  readonly plan: FaultPlan;
  readonly #lines: string[] = [];
  #digest = 0;

  /** Faults so far, those left out by `#kept` included. */
  faults = 0;
  readonly #kept: ReadonlySet<number> | undefined;

  /** @param kept ordinals of the faults that happen, the others are left out; undefined: all */
  constructor(
    seed: number,
    plan: (random: Random) => FaultPlan,
    kept: ReadonlySet<number> | undefined,
  ) {
    this.#kept = kept;
    this.random = seededRandom(seed);
    this.scheduler = new Scheduler(this.random);
    this.plan = plan(this.random);
  }

  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  /** What happened, oldest first; of very long runs the end. */
  get trace(): readonly string[] {
    return this.#lines;
  }

  /** A hash of the whole trace: equal for equal runs. */
  get digest(): number {
    return this.#digest;
  }

  after(delayMs: number, action: () => void): void {
    this.scheduler.after(delayMs, action);
  }

  note(line: string): void {
    const whole = `${(this.nowMs / 1000).toFixed(3)} ${line}`;
    for (let at = 0; at < whole.length; at++) {
      this.#digest = Math.imul(this.#digest ^ whole.charCodeAt(at), 16_777_619);
    }
    if (this.#lines.push(whole) > 2 * keptLines) this.#lines.splice(0, keptLines);
  }

  saw(sight: Sight): void {
    this.seen.set(sight, (this.seen.get(sight) ?? 0) + 1);
  }

  /** The pipeline stops as it should, and a person must decide how it goes on. */
  halt(code: ErrorCode): void {
    this.note(`halt: ${code}`);
    if (code === "RECORDS_EXPIRED" && this.random.chance(0.7)) this.gapsAccepted = true;
    else this.halted = code;
    this.unclean = true;
    this.saw(code === "RECORDS_EXPIRED" ? "halt: records expired" : "halt: log replaced");
  }

  oldCodeRefused(): void {
    this.onlyNewest = true;
    this.saw("old code refused");
  }

  violated(text: string): void {
    this.note(`VIOLATION ${text}`);
    this.violations.push(text);
  }

  /** Notes that a request is on its way for `forMs`; nothing is at rest until then. */
  slow(forMs: number): void {
    this.slowUntilMs = Math.max(this.slowUntilMs, this.nowMs + forMs);
  }

  /** A fault of probability `probability` strikes now. */
  strikes(probability: number): boolean {
    return this.faulty && probability > 0 && this.random.chance(probability) && this.fault();
  }

  /** Counts a fault that is about to happen; false when this run leaves it out. */
  fault(): boolean {
    const ordinal = this.faults++;
    return this.#kept?.has(ordinal) ?? true;
  }
}
