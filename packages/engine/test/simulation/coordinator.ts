import type { World } from "./world.ts";

const sessionMs = 8_000;
const rebalanceMs = 6_000;
const sweepMs = 500;

export type Assignment = { readonly generation: number; readonly partitions: readonly number[] };

type Member = {
  readonly process: string;
  lastSeenMs: number;
  /** Waits in the rebalance that goes on; called with its share. */
  joined: ((assignment: Assignment) => void) | undefined;
};

/**
 * The group coordinator: sessions, generations, and eager rebalances that wait for every member or drop it. Like Kafka's it
 * never checks who reads a partition.
 */
export class Coordinator {
  readonly #world: World;
  readonly #topic: { readonly partitions: readonly unknown[] };
  readonly #onRebalance: () => void;
  readonly #members = new Map<string, Member>();
  #generation = 0;
  /** When the rebalance that goes on ends without the missing members; undefined: none goes on. */
  #deadlineMs: number | undefined;
  #memberCount = 0;
  #owners: string[] = [];

  constructor(
    world: World,
    topic: { readonly partitions: readonly unknown[] },
    onRebalance: () => void,
  ) {
    this.#world = world;
    this.#onRebalance = onRebalance;
    this.#topic = topic;
    this.#sweep();
  }

  /** Name of the process that the group gives `partition` to. */
  owner(partition: number): string | undefined {
    return this.#members.get(this.#owners[partition] ?? "")?.process;
  }

  get stable(): boolean {
    return this.#deadlineMs === undefined;
  }

  /** Whether a commit is taken: from any member of the present generation, which nobody leaves before the next one begins. */
  takesCommit(member: string, generation: number): boolean {
    return this.#members.has(member) && generation === this.#generation;
  }

  newMember(process: string): string {
    return `${process}#${++this.#memberCount}`;
  }

  /** Registers `member`; `joined` is called when the rebalance completes. */
  join(member: string, process: string, joined: (assignment: Assignment) => void): void {
    this.#members.set(member, { process, lastSeenMs: this.#world.nowMs, joined });
    this.rebalance(`${member} joins`);
    this.#completeWhenAllJoined();
  }

  leave(member: string): void {
    if (!this.#members.delete(member)) return;
    this.rebalance(`${member} leaves`);
    this.#completeWhenAllJoined();
  }

  heartbeat(member: string, generation: number): "ok" | "rebalancing" | "unknown" {
    const known = this.#members.get(member);
    if (known === undefined) return "unknown";
    known.lastSeenMs = this.#world.nowMs;
    if (this.#deadlineMs !== undefined) return "rebalancing";
    return generation === this.#generation ? "ok" : "unknown";
  }

  rebalance(why: string): void {
    if (this.#deadlineMs !== undefined) return;
    this.#world.note(`group rebalances: ${why}`);
    this.#deadlineMs = this.#world.nowMs + rebalanceMs;
    this.#onRebalance();
  }

  #sweep(): void {
    const { nowMs } = this.#world;
    for (const [id, member] of this.#members) {
      const expired = member.joined === undefined && nowMs - member.lastSeenMs > sessionMs;
      if (!expired) continue;
      this.#members.delete(id);
      this.rebalance(`${id} expired`);
    }
    if (this.#deadlineMs !== undefined && nowMs >= this.#deadlineMs) {
      for (const [id, member] of this.#members) {
        if (member.joined === undefined) this.#members.delete(id);
      }
    }
    this.#completeWhenAllJoined();
    this.#world.after(sweepMs, () => {
      this.#sweep();
    });
  }

  #completeWhenAllJoined(): void {
    const members = [...this.#members];
    if (this.#deadlineMs === undefined || members.length === 0) return;
    if (members.some(([, member]) => member.joined === undefined)) return;
    const { random, nowMs } = this.#world;
    this.#deadlineMs = undefined;
    this.#generation++;
    const sticky = random.chance(0.6);
    this.#owners = this.#topic.partitions.map((_, partition) => {
      const before = this.#owners[partition] ?? "";
      return sticky && this.#members.has(before) ? before : random.pick(members)[0];
    });
    this.#world.note(`generation ${this.#generation}: ${this.#owners.join(" ")}`);
    for (const [id, member] of members) {
      const partitions = [...this.#owners.keys()].filter((at) => this.#owners[at] === id);
      const joined = member.joined;
      member.joined = undefined;
      member.lastSeenMs = nowMs;
      joined?.({ generation: this.#generation, partitions });
    }
  }
}
