import { optionsFrom } from "@adstream/verify/recount";
import { readTopic } from "@adstream/verify/recount-topic";
import type { Lifetime } from "./fleet.ts";

/** The events topic held against what the producers say was acknowledged. */
export type ProducedCheck = {
  /** In the topic. */
  readonly records: number;
  readonly acknowledged: number;
  /** Among the acknowledged: records that nobody can process. */
  readonly poison: number;
  /** Acknowledged and not in the topic. */
  readonly lost: number;
  /** More than once in the topic. */
  readonly doubled: number;
};

/**
 * Any share above 0 makes producers name their events; this one is below the resolution of their random numbers, so that
 * nothing is delivered twice on purpose.
 */
const namesOnly = "--redeliver-ratio=0.000000000001";
/** All seeds have ten digits, so that a name is recognised by its end, whatever stands before it. */
const firstSeed = 1_000_000_000;
const lifetimesPerRun = 10_000;
const name = /(\d{10})-(\d+)-\d{13}$/;
const nameBytes = 48;

/** Seeds of producer processes: one each, so that the n-th event of every process has a name of its own. */
export function producerSeeds(seed: number): () => number {
  let next = firstSeed + (seed % 200_000) * lifetimesPerRun;
  return () => next++;
}

/** Flags of a producer that names its events by `seed`. */
export function namingArgs(seed: number): readonly string[] {
  return [`--seed=${seed}`, namesOnly];
}

/** Which events of which seed were seen, how often. */
export class EventNames {
  readonly #counts = new Map<number, Uint8Array>();
  records = 0;
  /** Without a name: cut short on purpose, or no value at all. */
  nameless = 0;
  doubled = 0;

  add(value: Buffer | null): void {
    this.records += 1;
    const [, seed, index] = name.exec(value?.subarray(-nameBytes).toString("latin1") ?? "") ?? [];
    if (seed === undefined) {
      this.nameless += 1;
      return;
    }
    const seen = this.#countsOf(Number(seed), Number(index));
    const before = seen[Number(index)] ?? 0;
    if (before > 0) this.doubled += 1;
    seen[Number(index)] = 1;
  }

  /** Of the first `count` events of a seed, how many were not seen. */
  missing(seed: number, count: number): number {
    const seen = this.#counts.get(seed) ?? new Uint8Array(0);
    let missing = Math.max(0, count - seen.length);
    for (const one of seen.subarray(0, count)) if (one === 0) missing += 1;
    return missing;
  }

  #countsOf(seed: number, index: number): Uint8Array {
    const seen = this.#counts.get(seed) ?? new Uint8Array(1_024);
    this.#counts.set(seed, seen);
    if (index < seen.length) return seen;
    const larger = new Uint8Array(Math.max(index + 1, seen.length * 2));
    larger.set(seen);
    this.#counts.set(seed, larger);
    return larger;
  }
}

/**
 * Every record that a producer process reported as acknowledged must be in the topic, once. What a killed process sent
 * in its last second it could not report; the topic may hold it or not.
 *
 * @param producers with the seeds they ran by
 */
export async function checkProduced(
  environment: Readonly<Record<string, string>>,
  producers: readonly { readonly seed: number; readonly status: Lifetime["status"] }[],
): Promise<ProducedCheck> {
  const { kafka, topic } = optionsFrom(environment);
  const names = new EventNames();
  await readTopic({ kafka, topic }, async (_partition, { value }) => names.add(value));
  let [acknowledged, poison, lost, unseen] = [0, 0, 0, 0];
  for (const { seed, status } of producers) {
    const produced = Number(status["produced"] ?? 0);
    const bad = Number(status["bad"] ?? 0);
    const missing = names.missing(seed, produced);
    acknowledged += produced;
    poison += bad;
    // Bad records may be nameless, the others may not.
    lost += Math.max(0, missing - bad);
    unseen += missing;
  }
  lost = Math.max(lost, unseen - names.nameless);
  return { records: names.records, acknowledged, poison, lost, doubled: names.doubled };
}
