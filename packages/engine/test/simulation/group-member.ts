import { StreamError } from "../../src/errors.ts";
import type { PartitionInfo } from "../../src/ports.ts";
import type { Assignment, Coordinator } from "./coordinator.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Topic } from "./topic.ts";

/** What a member does with what it reads. */
export type MemberHandler = {
  assigned(partitions: readonly number[]): void;
  /** @returns where to go on: behind the range, or before its end when the rest is not wanted now */
  deliver(partition: number, range: OffsetRange): number | Promise<number>;
  /** End of the batch that holds an offset, where batches have bounds; without it they are cut at random. */
  batchEnd?(partition: number, from: number): number;
  atLogEnd(partition: number, nextOffset: number): void;
  beforeRejoin(budgetMs: number): Promise<void>;
};

export type OffsetRange = { readonly from: number; readonly to: number };

type Partition = {
  /** Next offset to fetch; undefined until `start`. */
  position: number | undefined;
  paused: boolean;
  busy: boolean;
  /** Batches of a fetch are worked on; a late answer to an older one is dropped. */
  delivering: boolean;
  /** Counts starts: a fetch made before one of them is out of date. */
  starts: number;
};

const flushBudgetMs = 3_000;
const fetchTimeoutMs = 1_000;
const never = new AbortController().signal;

/** A member of a consumer group that reads one topic, as the contract of `LogSource` describes it. */
export class GroupMember {
  readonly #process: SimulatedProcess;
  readonly #topic: Topic<unknown>;
  readonly #coordinator: Coordinator;
  readonly #handler: MemberHandler;
  readonly #fatal: (error: unknown) => void;
  /** Tells batches and proofs of this assignment from those of earlier ones. */
  epoch = 0;
  #member: string;
  #generation = 0;
  #rejoining = false;
  #closed = false;
  #partitions = new Map<number, Partition>();

  /** @param fatal called with what the handler throws, or what only a restart can mend */
  constructor(
    process: SimulatedProcess,
    topic: Topic<unknown>,
    coordinator: Coordinator,
    handler: MemberHandler,
    fatal: (error: unknown) => void,
  ) {
    this.#process = process;
    this.#topic = topic;
    this.#coordinator = coordinator;
    this.#handler = handler;
    this.#fatal = fatal;
    this.#member = coordinator.newMember(process.name);
  }

  /** Joins the group, and stays in it until the process dies or `close`. */
  run(): void {
    this.#join().catch(this.#fatal);
    this.#heartbeatLater();
    this.#fetchLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#process.request("leave", () => {
      this.#coordinator.leave(this.#member);
    });
  }

  async describe(partition: number): Promise<PartitionInfo> {
    const { world } = this.#process;
    return this.#process.request("describe", () => {
      if (world.strikes(world.plan.describeFails)) {
        throw new StreamError("SERVER_UNAVAILABLE", "retry", "the broker does not answer");
      }
      return this.#topic.describe(partition);
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
    assigned.starts++;
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
    // kafkajs commits as what it was assigned as, whatever it has joined since.
    const [member, generation] = [this.#member, this.#generation];
    await this.#process.request("commit", () => {
      // An expelled member is refused; Kafka does not ask whose partition it is (K10).
      if (!this.#coordinator.takesCommit(member, generation)) return;
      for (const [partition, offset] of positions) this.#topic.committed.set(partition, offset);
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
    if (!this.#rejoining) {
      const answer = await this.#process.request("heartbeat", () =>
        this.#coordinator.heartbeat(this.#member, this.#generation),
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
      const beganMs = world.nowMs;
      await this.#handler.beforeRejoin(cut ? world.random.between(1, 40) : flushBudgetMs);
      if (world.nowMs - beganMs >= flushBudgetMs) world.unclean = true;
    }
    if (why === "unknown") this.#member = this.#coordinator.newMember(this.#process.name);
    if (this.#closed) return;
    await this.#join();
  }

  async #join(): Promise<void> {
    const { name } = this.#process;
    const member = this.#member;
    this.#rejoining = true;
    const { promise, resolve } = Promise.withResolvers<Assignment>();
    await this.#process.request("join", () => {
      this.#coordinator.join(member, name, (assignment) => {
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
        { position: undefined, paused: true, busy: false, delivering: false, starts: 0 },
      ]),
    );
    this.#process.world.note(
      `${this.#process.name} assigned ${partitions.join(",")} in ${generation}`,
    );
    this.#handler.assigned(partitions);
  }

  #fetchLater(): void {
    this.#process.after(this.#process.world.random.between(20, 600), () => {
      if (this.#closed) return;
      for (const [partition, assigned] of this.#partitions) {
        if (assigned.paused || assigned.busy || assigned.position === undefined) continue;
        assigned.busy = true;
        this.#fetch(partition, assigned, assigned.position).catch(this.#fatal);
      }
      this.#fetchLater();
    });
  }

  /** One fetch: what the broker has, cut into batches at random places that take their time. */
  async #fetch(partition: number, assigned: Partition, position: number): Promise<void> {
    const { world } = this.#process;
    const { random } = world;
    const { epoch } = this;
    const { starts } = assigned;
    const wanted = (): boolean =>
      epoch === this.epoch && starts === assigned.starts && !assigned.paused && !this.#closed;
    const until = await this.#ask(partition, assigned, position);
    if (until === undefined) return;
    if (assigned.delivering) return;
    assigned.busy = false;
    if (!wanted() || assigned.position !== position) return;
    if (until === "out of range") {
      this.#fatal(gap(this.#topic, partition, position));
      return;
    }
    if (until === position) this.#handler.atLogEnd(partition, position);
    assigned.busy = true;
    assigned.delivering = true;
    for (let from = position; from < until && from === assigned.position && wanted();) {
      const cut = this.#handler.batchEnd?.(partition, from) ?? from + random.between(1, 12);
      const to = Math.min(until, cut);
      if (!this.#mayDeliver()) break;
      const next = await this.#handler.deliver(partition, { from, to });
      if (epoch !== this.epoch || starts !== assigned.starts) break;
      assigned.position = next;
      if (next < to) break;
      from = to;
      // The next batch of a fetch waits while the one before it is worked on.
      if (from < until && random.chance(0.5)) await this.#process.clock.sleep(5, never);
    }
    assigned.delivering = false;
    assigned.busy = false;
  }

  /** Asks the broker how far it has something; the answer may be lost, or come after the client has asked again. */
  async #ask(
    partition: number,
    assigned: Partition,
    position: number,
  ): Promise<number | "out of range" | undefined> {
    const { world } = this.#process;
    const lost = world.strikes(world.plan.fetchLost);
    const late = lost && world.random.chance(0.5);
    const known = this.#process.request("fetch", () => {
      this.#topic.checkThere();
      const high = this.#topic.high(partition);
      if (position < this.#topic.low(partition) || position > high) return "out of range";
      return Math.min(high, position + world.random.between(1, 40));
    });
    if (lost) {
      world.saw(late ? "late answer" : "lost answer");
      await Promise.race([known.catch(() => {}), this.#process.clock.sleep(fetchTimeoutMs, never)]);
      await this.#process.clock.sleep(fetchTimeoutMs, never);
      assigned.busy = false;
      if (!late) return undefined;
      // What arrives between a flush and the rejoin it was for is published and in no checkpoint.
      world.unclean = true;
      await this.#process.clock.sleep(world.random.between(1, 2_000), never);
    }
    try {
      return await known;
    } catch (error) {
      assigned.busy = false;
      if (error instanceof StreamError && error.disposition === "retry") return undefined;
      throw error;
    }
  }

  /** A batch may slip through between the flush and the rejoin: its dead letters and late records will repeat. */
  #mayDeliver(): boolean {
    if (!this.#rejoining) return true;
    const { world } = this.#process;
    if (!world.strikes(world.plan.rejoinCut)) return false;
    world.unclean = true;
    return true;
  }
}

/** What the adapter says when kafkajs would begin anew elsewhere. */
function gap(topic: Topic<unknown>, partition: number, position: number): StreamError {
  const text = `${topic.name} partition ${partition} no longer has offset ${position}`;
  return new StreamError("OFFSET_GAP", "stop", text);
}
