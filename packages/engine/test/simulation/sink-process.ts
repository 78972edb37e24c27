import type { AdStats } from "../../../contracts/src/ad-stats.ts";
import { createResultApplier, type ResultApplier } from "../../../sink/src/apply-results.ts";
import type { DocumentStore } from "../../../sink/src/ports.ts";
import { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

/** The consumer group on the results topic: who reads what, and how far it is done. */
export type ResultsGroup = {
  readonly partitions: readonly (readonly AdStats[])[];
  readonly committed: number[];
  readonly owners: (string | undefined)[];
};

export type MakeApplier = (store: DocumentStore, process: SimulatedProcess) => ResultApplier;

/** The applier of the sink itself. */
export const realApplier: MakeApplier = (store, process) =>
  createResultApplier({
    store,
    clock: process.clock,
    random: () => process.world.random.next(),
    observer: {
      outage() {},
      race() {
        process.world.saw("document race");
      },
    },
    cacheDocuments: process.world.random.pick([2, 10, 1_000]),
  });

/** A sink process: reads results from where its group is, applies them, commits. */
export class SinkProcess {
  readonly process: SimulatedProcess;
  readonly #group: ResultsGroup;
  readonly #applier: ResultApplier;
  #epoch = 0;
  #abort = new AbortController();
  #queue: Promise<void> = Promise.resolve();

  constructor(
    world: World,
    name: string,
    group: ResultsGroup,
    applier: (process: SimulatedProcess) => ResultApplier,
    onKill: () => void,
  ) {
    this.process = new SimulatedProcess(world, name, onKill);
    this.#group = group;
    this.#applier = applier(this.process);
  }

  /** A new assignment; what is in the air for the one before it is given up, or ends by itself. */
  assigned(partitions: readonly number[]): void {
    const epoch = ++this.#epoch;
    const { world } = this.process;
    if (world.random.chance(0.5)) this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#queue = this.#consumeAfter(this.#queue, partitions, epoch, abort.signal);
  }

  async #consumeAfter(
    before: Promise<void>,
    partitions: readonly number[],
    epoch: number,
    signal: AbortSignal,
  ): Promise<void> {
    await before;
    try {
      this.#applier.forget();
      await this.#consume(partitions, epoch, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.process.world.violated(`sink ${this.process.name} stops: ${String(error)}`);
    }
  }

  async #consume(partitions: readonly number[], epoch: number, signal: AbortSignal): Promise<void> {
    const { random } = this.process.world;
    const positions = new Map<number, number>();
    for (const partition of partitions) {
      const committed = await this.process.request(
        "offsets",
        () => this.#group.committed[partition],
      );
      positions.set(partition, committed ?? 0);
    }
    while (epoch === this.#epoch) {
      let idle = true;
      for (const [partition, position] of positions) {
        const count = random.between(1, 60);
        const rows = await this.process.request("read", () =>
          this.#group.partitions[partition]?.slice(position, position + count),
        );
        if (rows === undefined || rows.length === 0 || epoch !== this.#epoch) continue;
        idle = false;
        await this.#applier.apply(rows, signal);
        positions.set(partition, position + rows.length);
        if (random.chance(0.8)) await this.#commit(partition, position + rows.length);
      }
      if (!idle) continue;
      for (const [partition, position] of positions) await this.#commit(partition, position);
      await this.process.clock.sleep(random.between(300, 2_000), signal);
    }
  }

  async #commit(partition: number, position: number): Promise<void> {
    await this.process.request("commit", () => {
      if (this.#group.owners[partition] === this.process.name) {
        this.#group.committed[partition] = position;
      }
    });
  }
}
