import { Coordinator } from "./coordinator.ts";
import type { SimulatedDocuments } from "./documents.ts";
import type { JobVersion } from "./job-versions.ts";
import { ProcessorProcess, type Surroundings } from "./processor-process.ts";
import { realApplier, type ResultsGroup, SinkProcess } from "./sink-process.ts";

/** The processes that run now; a supervisor starts a new one where one ended. */
export class Members {
  readonly processors: ProcessorProcess[] = [];
  readonly sinks: SinkProcess[] = [];
  readonly #around: Surroundings;
  readonly #documents: SimulatedDocuments;
  /** The group of the sinks. */
  readonly group: ResultsGroup;
  #started = 0;

  constructor(around: Surroundings, documents: SimulatedDocuments) {
    this.#around = around;
    this.#documents = documents;
    const { topic } = around.results;
    this.group = { topic, coordinator: new Coordinator(around.world, topic, () => {}) };
  }

  start(): void {
    for (let index = 0; index < this.#around.settings.processors; index++) this.#startProcessor();
    for (let index = 0; index < this.#around.settings.sinks; index++) this.#startSink();
  }

  /** True when every record is processed, checkpointed and written, and no window waits to be closed. */
  settled(): boolean {
    return this.unrest() === undefined;
  }

  /**
   * The next record of a partition at rest that a frozen process turned meanwhile: its owner, who had nothing to write, finds
   * its number taken, and the task goes on from the turn.
   */
  #touch(partition: number): void {
    const { input } = this.#around.cluster;
    const last = input.partitions[partition]?.entries.findLast(({ kind }) => kind === "record");
    if (last !== undefined) input.append(partition, last);
  }

  /** The first thing that is not at rest. */
  unrest(): string | undefined {
    const { settings, cluster, store, results } = this.#around;
    const { slowUntilMs, nowMs } = this.#around.world;
    if (nowMs <= slowUntilMs + 3_000) return "requests are on their way";
    if (!cluster.coordinator.stable) return "the group rebalances";
    for (const [partition, { entries }] of cluster.input.partitions.entries()) {
      const owner = cluster.coordinator.owner(partition);
      const processor = this.processors.find(({ process }) => process.name === owner);
      const owned = processor?.runner.tasks.find(({ task }) => task.partition === partition);
      if (owned === undefined) return `nobody runs p${partition}`;
      const { nextOffset, pendingRows, aggregate } = owned.task;
      if (nextOffset < entries.length) return `p${partition} is at ${nextOffset}`;
      if (pendingRows > 0) return `p${partition} has results to publish`;
      const closes = Number.isFinite(settings.beats.idleTimeoutMs);
      if (closes && aggregate.openWindows > 0) return `p${partition} has open windows`;
      const header = store.top(partition)?.frame.header;
      const durable = header?.kind === "checkpoint" ? header.log.nextOffset : undefined;
      const claimed = header?.kind === "claim" ? header.base > 0 : false;
      if (durable !== nextOffset && !claimed) {
        if (header?.writer.instance !== owner) this.#touch(partition);
        return `p${partition} is durable at ${durable}`;
      }
    }
    if (results.open.length > 0) return "results are on their way";
    if (!this.group.coordinator.stable) return "the sinks rebalance";
    for (const partition of results.topic.partitions.keys()) {
      const done = results.topic.committed.get(partition) ?? 0;
      if (done < results.topic.high(partition))
        return `results ${partition} are written up to ${done}`;
    }
    return undefined;
  }

  /** Replaces a processor that ended. */
  restartLater(ended: ProcessorProcess): void {
    if (!this.processors.includes(ended)) return;
    this.processors.splice(this.processors.indexOf(ended), 1);
    this.#around.world.after(this.#around.world.random.between(100, 6_000), () => {
      this.#startProcessor();
    });
  }

  /** Rolls a new version out: members of the old one are replaced one by one, and some come back for a while. */
  upgrade(): void {
    const { world } = this.#around;
    world.newestVersion = 2;
    world.note("version 2 is rolled out");
    for (const old of this.processors) {
      world.after(world.random.between(100, 20_000), () => {
        if (world.random.chance(0.3)) old.process.kill("SIGKILL");
        else if (this.processors.includes(old)) {
          void old.stop(() => {
            this.restartLater(old);
          });
        }
      });
    }
  }

  #version(): JobVersion {
    const { random, newestVersion, onlyNewest } = this.#around.world;
    return newestVersion === 2 && (onlyNewest || random.chance(0.75)) ? 2 : 1;
  }

  #startProcessor(): void {
    const processor: ProcessorProcess = new ProcessorProcess(
      this.#around,
      `w${++this.#started}`,
      this.#version(),
      () => {
        this.restartLater(processor);
      },
    );
    this.processors.push(processor);
  }

  #startSink(): void {
    const { world, mutant } = this.#around;
    const applier = mutant.applier ?? realApplier;
    const sink: SinkProcess = new SinkProcess(
      world,
      `s${++this.#started}`,
      this.group,
      (process, away) => applier(this.#documents.client(process), process, away),
      () => {
        this.sinks.splice(this.sinks.indexOf(sink), 1);
        world.after(world.random.between(100, 6_000), () => {
          this.#startSink();
        });
      },
    );
    this.sinks.push(sink);
  }
}
