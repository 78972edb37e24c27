import { resultKey, resultStatuses } from "../../src/results.ts";
import { StreamError } from "../../src/errors.ts";
import type { ResultLog, TaskOutput } from "../../src/ports.ts";
import type { ResultHistory } from "../../src/result-history.ts";
import type { AdStats } from "../../../contracts/src/ad-stats.ts";
import type { SimulatedProcess } from "./process.ts";
import { Topic } from "./topic.ts";
import { epochMs, type World } from "./world.ts";

const resultPartitions = 2;

/** What happened to one record that was not counted. */
export type AsideRecord = {
  readonly partition: number;
  readonly offset: number;
  readonly reason: number;
};

type OpenPublish = {
  readonly process: SimulatedProcess;
  readonly partition: number;
  /** Newest claim of the process for this partition: which of its tasks speaks. */
  readonly taskSeq: number;
  /** A checkpoint at this offset or later holds some of it. */
  readonly heldFrom: number;
};

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const epochOf = ({ version }: AdStats): number => Number(version >> 48n);

export type Owners = {
  /** Process that the group gives the partition to. */
  owner(partition: number): string | undefined;
  /** Number of the newest claim that `process` holds in its hands. */
  claim(partition: number, process: string): number;
};

/** Topics that the processors write: results, dead letters and late records. */
export class SimulatedResults {
  readonly topic: Topic<AdStats>;
  readonly dead: AsideRecord[] = [];
  readonly late: AsideRecord[] = [];
  /** Newest version ever published of each slot. */
  readonly newest = new Map<string, AdStats>();
  /** When the newest row of a slot was appended, and when older code was first superseded; wall time. */
  readonly appendedMs = new Map<string, number>();
  readonly supersededMs = new Map<number, number>();
  readonly #wallMs = new WeakMap<AdStats, number>();
  readonly #open = new Set<OpenPublish>();
  readonly #world: World;
  readonly #contents = new Map<string, string>();
  readonly #owners: Owners;

  constructor(world: World, owners: Owners) {
    this.#world = world;
    this.#owners = owners;
    this.topic = new Topic(world, "ad_stats", resultPartitions);
  }

  /** Publishes not yet acknowledged, of living processes: what a checkpoint must not overtake. */
  get open(): OpenPublish[] {
    return [...this.#open].filter(({ process }) => process.alive);
  }

  superseded(partition: number): void {
    const { nowMs } = this.#world;
    this.supersededMs.set(partition, Math.min(nowMs, this.supersededMs.get(partition) ?? nowMs));
  }

  /** The results topic read back by `process`. */
  history(process: SimulatedProcess): ResultHistory {
    const rowsOfSlot = (partition: number): AdStats[] =>
      this.topic.partitions
        .flatMap(({ entries }) => entries)
        .filter(({ slot }) => slot === partition);
    return {
      published: async (partition, { sinceMs, belowEpoch, above }) =>
        process.request("read results back", () => {
          const rows = rowsOfSlot(partition).filter(
            (row) =>
              (this.#wallMs.get(row) ?? 0) >= sinceMs &&
              epochOf(row) < belowEpoch &&
              Number(BigInt.asUintN(48, row.version)) > above,
          );
          const slots = [...new Map(rows.map((row) => [slotKey(row), row])).values()].map(
            (row) => ({
              key: encoder.encode(row.ad_id),
              windowStart: row.window_start,
              windowEnd: row.window_end,
            }),
          );
          return { slots, complete: true };
        }),
      newestEpoch: async (partition) =>
        process.request("read epochs back", () => {
          const epochs = rowsOfSlot(partition).map(epochOf);
          return { epoch: epochs.length === 0 ? undefined : Math.max(...epochs), complete: true };
        }),
    };
  }

  /** The publisher of one process: one send in flight. */
  client(process: SimulatedProcess): ResultLog {
    let queue: Promise<void> = Promise.resolve();
    return {
      publish: async (output) => {
        const { partition } = output;
        const taskSeq = this.#owners.claim(partition, process.name);
        const open = { process, partition, taskSeq, heldFrom: heldFrom(output) };
        const steps = this.#steps(process, output);
        this.#open.add(open);
        const sent = queue.then(async () => this.#send(process, steps));
        queue = sent.catch(() => {});
        await sent;
        this.#open.delete(open);
      },
    };
  }

  async #send(process: SimulatedProcess, steps: (() => void)[]): Promise<void> {
    const world = this.#world;
    const latency = { slow: world.plan.publishSlow };
    for (let at = 0; at < steps.length;) {
      if (world.strikes(world.plan.publishDeadline)) {
        world.unclean = true;
        throw new StreamError("PUBLISH_DEADLINE", "stop", "not acknowledged in 120000 ms");
      }
      const part = steps.slice(at, at + world.random.between(1, 30));
      const append = (): void => {
        for (const step of part) step();
      };
      await process.request("publish", append, latency);
      if (world.strikes(world.plan.publishRepeats)) {
        world.unclean = true;
        await process.request("publish again", append, latency);
      }
      at += part.length;
    }
  }

  #steps(process: SimulatedProcess, output: TaskOutput): (() => void)[] {
    const { partition, deadLetters, late } = output;
    const zombie = (): void => {
      if (this.#owners.owner(partition) !== process.name) this.#world.saw("zombie publish");
    };
    const steps = rowsOf(output).map((row) => () => {
      zombie();
      this.#append(row, process.name);
    });
    for (const { offset, reason } of deadLetters) {
      steps.push(() => {
        this.#world.saw("dead letter");
        this.dead.push({ partition, offset, reason });
      });
    }
    for (const { offset, reason } of late) {
      steps.push(() => {
        this.#world.saw("late record");
        this.late.push({ partition, offset, reason });
      });
    }
    return steps;
  }

  #append(row: AdStats, by: string): void {
    if (row.status === "corrected") this.#world.saw("correction");
    const slot = slotKey(row);
    const content = JSON.stringify({ ...row, version: String(row.version) });
    const said = this.#contents.get(`${slot}@${row.version}`);
    if (said !== undefined && said !== content) {
      this.#world.violated(`${by} publishes ${content}, where the log already says ${said}`);
    }
    this.#contents.set(`${slot}@${row.version}`, content);
    const newest = this.newest.get(slot);
    if (newest === undefined || newest.version < row.version) {
      this.newest.set(slot, row);
      this.appendedMs.set(slot, this.#world.nowMs);
    }
    this.#wallMs.set(row, epochMs + this.#world.nowMs);
    const place = (row.window_start / 1000 + row.ad_id.length) % resultPartitions;
    this.topic.append(place, row);
  }
}

/** The lowest next offset that lies behind something of this output. */
function heldFrom({ results, deadLetters, late }: TaskOutput): number {
  const versions = Array.from(results.version).slice(0, results.count);
  const offsets = [...deadLetters, ...late].map(({ offset }) => offset + 1);
  return Math.min(...versions.map((version) => Math.ceil(version / 2)), ...offsets);
}

/** Names one slot of one document. */
export function slotKey(row: Pick<AdStats, "window_start" | "ad_id" | "slot">): string {
  return `${row.window_start}/${row.slot}/${row.ad_id}`;
}

function rowsOf({ partition, jobEpoch, results }: TaskOutput): AdStats[] {
  return Array.from({ length: results.count }, (_, row) => ({
    ad_id: decoder.decode(resultKey(results, row)),
    window_start: results.windowStart[row] ?? Number.NaN,
    window_end: results.windowEnd[row] ?? Number.NaN,
    slot: partition,
    version: (BigInt(jobEpoch) << 48n) | BigInt(results.version[row] ?? 0),
    status: resultStatuses[results.status[row] ?? 0] ?? "early",
    count: results.records[row] ?? Number.NaN,
    total_clicks: results.sums[0]?.[row] ?? Number.NaN,
    total_views: results.sums[1]?.[row] ?? Number.NaN,
    total_cost: results.sums[2]?.[row] ?? Number.NaN,
    max_event_time: results.maxEventTime[row] ?? Number.NaN,
    max_record_time: results.maxRecordTime[row] ?? Number.NaN,
  }));
}
