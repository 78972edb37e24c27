import type { SimulatedDocuments } from "./documents.ts";
import { ProcessorProcess, type Surroundings } from "./processor-process.ts";
import { realApplier, type ResultsGroup, SinkProcess } from "./sink-process.ts";

/** The processes that run now; a supervisor starts a new one where one ended. */
export class Members {
  readonly processors: ProcessorProcess[] = [];
  readonly sinks: SinkProcess[] = [];
  readonly #around: Surroundings;
  readonly #documents: SimulatedDocuments;
  readonly #group: ResultsGroup;
  #started = 0;

  constructor(around: Surroundings, documents: SimulatedDocuments) {
    this.#around = around;
    this.#documents = documents;
    const { partitions } = around.results;
    this.#group = { partitions, committed: partitions.map(() => 0), owners: [] };
  }

  start(): void {
    for (let index = 0; index < this.#around.settings.processors; index++) this.#startProcessor();
    for (let index = 0; index < this.#around.settings.sinks; index++) this.#startSink();
    this.shareResults();
  }

  /** Gives the partitions of the results topic to the sinks that are awake, anew. */
  shareResults(): void {
    const { random } = this.#around.world;
    const { owners } = this.#group;
    const able = this.sinks.filter(({ process }) => process.alive && !process.frozen);
    for (const partition of this.#group.partitions.keys()) {
      owners[partition] = able.length === 0 ? undefined : random.pick(able).process.name;
    }
    for (const sink of this.sinks) {
      sink.process.after(random.between(1, 3_000), () => {
        sink.assigned([...owners.keys()].filter((at) => owners[at] === sink.process.name));
      });
    }
  }

  /** True when every record is processed, checkpointed and written, and no window waits to be closed. */
  settled(): boolean {
    return this.unrest() === undefined;
  }

  /** The first thing that is not at rest. */
  unrest(): string | undefined {
    const { settings, cluster, store, results } = this.#around;
    const { slowUntilMs, nowMs } = this.#around.world;
    if (nowMs <= slowUntilMs + 3_000) return "requests are on their way";
    if (!cluster.coordinator.stable) return "the group rebalances";
    for (const [partition, entries] of cluster.log.entries()) {
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
      if (durable !== nextOffset && !claimed) return `p${partition} is durable at ${durable}`;
    }
    if (results.open.length > 0) return "results are on their way";
    for (const [partition, rows] of results.partitions.entries()) {
      const done = this.#group.committed[partition] ?? 0;
      if (done < rows.length) return `results ${partition} are written up to ${done}`;
    }
    return undefined;
  }

  /** Replaces a processor that ended. */
  restartLater(ended: ProcessorProcess): void {
    this.processors.splice(this.processors.indexOf(ended), 1);
    this.#around.world.after(this.#around.world.random.between(100, 6_000), () => {
      this.#startProcessor();
    });
  }

  #startProcessor(): void {
    const processor: ProcessorProcess = new ProcessorProcess(
      this.#around,
      `w${++this.#started}`,
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
      this.#group,
      (process) => applier(this.#documents.client(process), process),
      () => {
        this.sinks.splice(this.sinks.indexOf(sink), 1);
        world.after(world.random.between(100, 6_000), () => {
          this.#startSink();
          this.shareResults();
        });
      },
    );
    this.sinks.push(sink);
  }
}
