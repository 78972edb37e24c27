import { StreamError } from "../../src/errors.ts";
import type { LogHandler, LogSource, PartitionInfo } from "../../src/ports.ts";
import type { Assignment, Coordinator } from "./coordinator.ts";
import { fillColumns, inputColumns, type InputLog } from "./input-log.ts";
import type { SimulatedProcess } from "./process.ts";

export type Cluster = {
  readonly log: InputLog;
  readonly coordinator: Coordinator;
  readonly committed: Map<number, number>;
  /** Schema ids the registry knows now. */
  readonly schemas: Set<number>;
  readonly schemaPatienceMs: number;
};

type Partition = {
  /** Next offset to fetch; undefined until `start`. */
  position: number | undefined;
  paused: boolean;
  busy: boolean;
  unknownSinceMs: number | undefined;
};

const flushBudgetMs = 3_000;

/** A member of the consumer group, as the contract of `LogSource` describes it. */
export class SimulatedSource implements LogSource {
  readonly #process: SimulatedProcess;
  readonly #cluster: Cluster;
  readonly #columns = inputColumns();
  readonly #fatal: (error: unknown) => void;
  /** Tells batches and proofs of this assignment from those of earlier ones. */
  epoch = 0;
  #handler: LogHandler | undefined;
  #member: string;
  #generation = 0;
  #rejoining = false;
  #closed = false;
  #partitions = new Map<number, Partition>();

  /** @param fatal called with what the handler throws, which ends the process */
  constructor(process: SimulatedProcess, cluster: Cluster, fatal: (error: unknown) => void) {
    this.#fatal = fatal;
    this.#process = process;
    this.#cluster = cluster;
    this.#member = cluster.coordinator.newMember(process.name);
  }

  /** Joins the group, and stays in it until the process dies or `close`. */
  run(handler: LogHandler): void {
    this.#handler = handler;
    this.#join().catch(this.#fatal);
    this.#heartbeatLater();
    this.#fetchLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#process.request("leave", () => {
      this.#cluster.coordinator.leave(this.#member);
    });
  }

  async describe(partition: number): Promise<PartitionInfo> {
    const { log, committed } = this.#cluster;
    const { world } = this.#process;
    return this.#process.request("describe", () => {
      if (world.strikes(world.plan.describeFails)) {
        throw new StreamError("SERVER_UNAVAILABLE", "retry", "the broker does not answer");
      }
      return {
        clusterId: "simulated",
        topic: "ad_topic",
        partitions: log.length,
        low: 0,
        high: log[partition]?.length ?? 0,
        committed: committed.get(partition),
      };
    });
  }

  start(partition: number, offset: number): void {
    const assigned = this.#partitions.get(partition);
    if (assigned === undefined) {
      this.#process.world.violated(`${this.#process.name} starts partition ${partition}, not its`);
      return;
    }
    this.#process.world.note(`${this.#process.name} starts p${partition} at ${offset}`);
    assigned.position = offset;
    assigned.paused = false;
  }

  pause(partition: number): void {
    const assigned = this.#partitions.get(partition);
    if (assigned !== undefined) assigned.paused = true;
  }

  resume(partition: number): void {
    const assigned = this.#partitions.get(partition);
    if (assigned?.position !== undefined) assigned.paused = false;
  }

  async commit(positions: ReadonlyMap<number, number>): Promise<void> {
    await this.#process.request("commit", () => {
      for (const [partition, offset] of positions) this.#cluster.committed.set(partition, offset);
    });
  }

  #heartbeatLater(): void {
    const { random } = this.#process.world;
    this.#process.after(random.between(500, 3_000), () => {
      if (this.#closed) return;
      this.#heartbeat().catch(this.#fatal);
    });
  }

  async #heartbeat(): Promise<void> {
    const { coordinator } = this.#cluster;
    if (!this.#rejoining) {
      const answer = await this.#process.request("heartbeat", () =>
        coordinator.heartbeat(this.#member, this.#generation),
      );
      if (answer !== "ok" && !this.#closed) await this.#rejoin(answer);
    }
    this.#heartbeatLater();
  }

  async #rejoin(why: "rebalancing" | "unknown"): Promise<void> {
    if (this.#rejoining) return;
    const { world } = this.#process;
    this.#rejoining = true;
    if (world.strikes(world.plan.rejoinSkipped)) {
      world.unclean = true;
    } else {
      const cut = world.strikes(world.plan.rejoinCut);
      if (cut) world.unclean = true;
      await this.#handler?.beforeRejoin(cut ? world.random.between(1, 40) : flushBudgetMs);
    }
    if (why === "unknown") this.#member = this.#cluster.coordinator.newMember(this.#process.name);
    if (this.#closed) return;
    await this.#join();
  }

  async #join(): Promise<void> {
    const { coordinator } = this.#cluster;
    const { name } = this.#process;
    const member = this.#member;
    this.#rejoining = true;
    const { promise, resolve } = Promise.withResolvers<Assignment>();
    await this.#process.request("join", () => {
      coordinator.join(member, name, (assignment) => {
        this.#process.after(this.#process.world.random.next() * 20, () => {
          resolve(assignment);
        });
      });
    });
    this.#assigned(await promise);
  }

  #assigned({ generation, partitions }: Assignment): void {
    if (this.#closed) return;
    this.#generation = generation;
    this.epoch++;
    this.#rejoining = false;
    this.#partitions = new Map(
      partitions.map((partition) => [
        partition,
        { position: undefined, paused: true, busy: false, unknownSinceMs: undefined },
      ]),
    );
    this.#process.world.note(
      `${this.#process.name} assigned ${partitions.join(",")} in ${generation}`,
    );
    this.#handler?.assigned(partitions);
  }

  #fetchLater(): void {
    this.#process.after(this.#process.world.random.between(20, 600), () => {
      if (this.#closed) return;
      for (const [partition, assigned] of this.#partitions) {
        if (assigned.paused || assigned.busy || assigned.position === undefined) continue;
        assigned.busy = true;
        this.#fetch(partition, assigned, this.epoch, assigned.position).catch(this.#fatal);
      }
      this.#fetchLater();
    });
  }

  /** One fetch: what the broker has, cut into batches at random places that take their time. */
  async #fetch(
    partition: number,
    assigned: Partition,
    epoch: number,
    position: number,
  ): Promise<void> {
    const { random } = this.#process.world;
    const high = await this.#process.request("fetch", () => this.#cluster.log[partition]?.length);
    const until = Math.min(high ?? 0, position + random.between(1, 40));
    let from = position;
    if (until === position) this.#proveEnd(partition, assigned, epoch, position);
    while (from < until && from === assigned.position) {
      const to = Math.min(until, from + random.between(1, 12));
      if (!this.#deliver(partition, assigned, epoch, { from, to })) break;
      from = to;
      // The next batch of a fetch waits while the one before it is worked on.
      if (from < until && random.chance(0.5)) await this.#process.clock.sleep(5, never);
    }
    assigned.busy = false;
  }

  #proveEnd(partition: number, assigned: Partition, epoch: number, position: number): void {
    if (epoch !== this.epoch || assigned.paused || assigned.position !== position) return;
    this.#handler?.atLogEnd(partition, position);
  }

  /** @returns whether the batch was taken whole */
  #deliver(
    partition: number,
    assigned: Partition,
    epoch: number,
    range: { readonly from: number; readonly to: number },
  ): boolean {
    if (epoch !== this.epoch || assigned.paused || this.#handler === undefined) return false;
    if (this.#rejoining) {
      // A batch may slip through between the flush and the rejoin: its dead letters and late records will repeat.
      const { world } = this.#process;
      if (!world.strikes(world.plan.rejoinCut)) return false;
      world.unclean = true;
    }
    const entries = this.#cluster.log[partition] ?? [];
    const dead = this.#handler.unknownSchemas(partition);
    const readable = this.#readableUntil(entries, range, dead);
    if (readable < range.to) this.#waitForSchema(partition, assigned, entries[readable]);
    else assigned.unknownSinceMs = undefined;
    if (readable === range.from) return false;
    fillColumns(this.#columns, entries, { from: range.from, to: readable }, dead);
    const applied = this.#handler.apply(partition, this.#columns, readable);
    // Columns are reused, so whoever kept a view of them must notice.
    this.#columns.bytes.fill(0xff);
    if (applied === "later") {
      assigned.paused = true;
      return false;
    }
    assigned.position = readable;
    return readable === range.to;
  }

  #readableUntil(
    entries: InputLog[number],
    { from, to }: { readonly from: number; readonly to: number },
    dead: ReadonlySet<number>,
  ): number {
    for (let offset = from; offset < to; offset++) {
      const entry = entries[offset];
      if (entry?.kind !== "record" || dead.has(entry.schemaId)) continue;
      if (!this.#cluster.schemas.has(entry.schemaId)) return offset;
    }
    return to;
  }

  #waitForSchema(
    partition: number,
    assigned: Partition,
    entry: InputLog[number][number] | undefined,
  ): void {
    const { nowMs } = this.#process.world;
    assigned.unknownSinceMs ??= nowMs;
    if (
      entry?.kind !== "record" ||
      nowMs - assigned.unknownSinceMs < this.#cluster.schemaPatienceMs
    )
      return;
    this.#handler?.schemaUnknown(partition, entry.schemaId);
  }
}

const never = new AbortController().signal;
