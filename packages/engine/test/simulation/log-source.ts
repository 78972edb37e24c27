import type { LogHandler, LogSource, PartitionInfo } from "../../src/ports.ts";
import type { Coordinator } from "./coordinator.ts";
import { GroupMember, type OffsetRange } from "./group-member.ts";
import { fillColumns, inputColumns, type InputEntry, type InputTopic } from "./input-log.ts";
import type { JobVersion } from "./job-versions.ts";
import type { SimulatedProcess } from "./process.ts";

export type Cluster = {
  readonly input: InputTopic;
  readonly coordinator: Coordinator;
  /** Schema ids the registry knows now. */
  readonly schemas: Set<number>;
  readonly schemaPatienceMs: number;
};

/** The input topic as a processor reads it: decoded, where the registry knows the schema. */
export class SimulatedSource implements LogSource {
  readonly #process: SimulatedProcess;
  readonly #cluster: Cluster;
  readonly #handler: LogHandler;
  readonly #version: JobVersion;
  readonly #columns = inputColumns();
  readonly #member: GroupMember;
  readonly #unknownSinceMs = new Map<number, number>();

  /** @param fatal called with what ends the process */
  constructor(
    process: SimulatedProcess,
    cluster: Cluster,
    handler: LogHandler,
    fatal: (error: unknown) => void,
    version: JobVersion,
  ) {
    this.#version = version;
    this.#process = process;
    this.#cluster = cluster;
    this.#handler = handler;
    const { input, coordinator } = cluster;
    this.#member = new GroupMember(
      process,
      input,
      coordinator,
      {
        assigned: (partitions) => {
          this.#unknownSinceMs.clear();
          handler.assigned(partitions);
        },
        deliver: (partition, range) => this.#deliver(partition, range),
        atLogEnd: (partition, nextOffset) => {
          handler.atLogEnd(partition, nextOffset);
        },
        beforeRejoin: async (budgetMs) => handler.beforeRejoin(budgetMs),
      },
      fatal,
    );
  }

  get epoch(): number {
    return this.#member.epoch;
  }

  run(): void {
    this.#member.run();
  }

  async close(): Promise<void> {
    await this.#member.close();
  }

  async describe(partition: number): Promise<PartitionInfo> {
    return this.#member.describe(partition);
  }

  start(partition: number, offset: number): void {
    this.#member.start(partition, offset);
  }

  pause(partition: number): void {
    this.#member.pause(partition);
  }

  resume(partition: number): void {
    this.#member.resume(partition);
  }

  async commit(positions: ReadonlyMap<number, number>): Promise<void> {
    await this.#member.commit(positions);
  }

  /** @returns where to go on */
  #deliver(partition: number, { from, to }: OffsetRange): number {
    const entries = this.#cluster.input.partitions[partition]?.entries ?? [];
    const dead = this.#handler.unknownSchemas(partition);
    const readable = this.#readableUntil(entries, { from, to }, dead);
    if (readable < to) this.#waitForSchema(partition, entries[readable]);
    else this.#unknownSinceMs.delete(partition);
    if (readable === from) return from;
    fillColumns(this.#columns, entries, { from, to: readable }, dead, this.#version);
    const applied = this.#handler.apply(partition, this.#columns, readable);
    // Columns are reused, so whoever kept a view of them must notice.
    this.#columns.bytes.fill(0xff);
    if (applied === "applied") return readable;
    this.#member.pause(partition);
    return from;
  }

  #readableUntil(
    entries: readonly InputEntry[],
    { from, to }: OffsetRange,
    dead: ReadonlySet<number>,
  ): number {
    for (let offset = from; offset < to; offset++) {
      const entry = entries[offset];
      if (entry?.kind !== "record" || dead.has(entry.schemaId)) continue;
      if (!this.#cluster.schemas.has(entry.schemaId)) return offset;
    }
    return to;
  }

  #waitForSchema(partition: number, entry: InputEntry | undefined): void {
    const { nowMs } = this.#process.world;
    const sinceMs = this.#unknownSinceMs.get(partition) ?? nowMs;
    this.#unknownSinceMs.set(partition, sinceMs);
    if (entry?.kind !== "record" || nowMs - sinceMs < this.#cluster.schemaPatienceMs) return;
    this.#handler.schemaUnknown(partition, entry.schemaId);
  }
}
