import { errorCodes, exitCodes, StreamError } from "../../src/errors.ts";
import type { CheckpointStore, LogSource, PayloadCodec, ResultLog } from "../../src/ports.ts";
import type { RunOptions } from "../../src/run-options.ts";
import { TaskRunner } from "../../src/run-tasks.ts";
import type { SimulatedStore } from "./checkpoint-store.ts";
import { type Cluster, SimulatedSource } from "./log-source.ts";
import type { JobVersion } from "./job-versions.ts";
import type { Mutant } from "./mutants.ts";
import { SimulatedProcess } from "./process.ts";
import type { SimulatedResults } from "./result-log.ts";
import type { Settings } from "./settings.ts";
import type { World } from "./world.ts";

export type Surroundings = {
  readonly world: World;
  readonly settings: Settings;
  readonly cluster: Cluster;
  readonly store: SimulatedStore;
  readonly results: SimulatedResults;
  readonly mutant: Mutant;
};

const drainBudgetMs = 10_000;

const plainCodec: PayloadCodec = {
  compress: async (bytes) => bytes,
  decompress: async (bytes) => bytes,
};

/** A processor process: the engine's own run loop between simulated servers. */
export class ProcessorProcess {
  readonly process: SimulatedProcess;
  readonly runner: TaskRunner;
  readonly #source: SimulatedSource;
  readonly version: JobVersion;
  #stopping = false;

  constructor(around: Surroundings, name: string, version: JobVersion, onKill: () => void) {
    this.version = version;
    this.process = new SimulatedProcess(around.world, name, onKill);
    this.runner = new TaskRunner(this.#options(around));
    this.#source = new SimulatedSource(
      this.process,
      around.cluster,
      this.runner,
      (error) => {
        this.#fatal(error);
      },
      version,
    );
    this.#source.run();
  }

  /** SIGTERM: everything is flushed before the group is left. */
  async stop(done: () => void): Promise<void> {
    if (this.#stopping || !this.process.alive) return;
    this.#stopping = true;
    const { world, name } = this.process;
    world.note(`${name} stops`);
    if (!(await this.runner.drain(drainBudgetMs))) world.unclean = true;
    await this.#source.close();
    this.process.alive = false;
    done();
  }

  #options(around: Surroundings): RunOptions {
    const { world, settings, store, results, mutant } = around;
    const { process } = this;
    const { random } = world;
    const fresh = new Set<number>();
    const acquiredIn = new Map<number, number>();
    let checkpoints: CheckpointStore = store.client(process);
    let published: ResultLog = results.client(process);
    if (mutant.store !== undefined) checkpoints = mutant.store(checkpoints, process);
    if (mutant.results !== undefined) published = mutant.results(published, process);
    return {
      ...settings.beats,
      job: { ...settings.job, codeVersion: this.version },
      history: results.history(process),
      operator: {
        permits: (flag) => flag === "accept-gap" && world.gapsAccepted,
        audit: async (decision) => {
          await process.request("audit", () => {
            world.note(`${process.name} is allowed to ${JSON.stringify(decision)}`);
          });
        },
      },
      source: this.#watchedSource(fresh, mutant),
      results: published,
      store: checkpoints,
      codec: mutant.codec?.(plainCodec, settings) ?? plainCodec,
      clock: process.clock,
      instance: process.name,
      nonce: () => `${random.next()}`,
      events: {
        ...this.#events(store, results),
        acquired: ({ partition, seq, nextOffset, jobEpoch }) => {
          if (acquiredIn.get(partition) === this.#source.epoch) world.saw("reclaim");
          acquiredIn.set(partition, this.#source.epoch);
          fresh.add(partition);
          world.note(
            `${process.name} owns p${partition}/${seq} from ${nextOffset} epoch ${jobEpoch}`,
          );
        },
      },
      fatal: (error) => {
        this.#fatal(error);
      },
    };
  }

  /** Exit, with what the run loop or its source cannot go on from; only one kind of it is ours. */
  #fatal(error: unknown): void {
    const { process } = this;
    if (!process.alive) return;
    const { world, name } = process;
    const code = error instanceof StreamError ? error.code : "INTERNAL";
    const outdated = code === "STATE_INCOMPATIBLE" && this.version < world.newestVersion;
    const injected = code === "PUBLISH_DEADLINE" || world.excused.has(code) || outdated;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!injected) world.violated(`${name} stops: ${text}`);
    if (code === "OFFSET_GAP") world.saw("offset out of range");
    if (outdated) world.oldCodeRefused();
    else if (injected && errorCodes[code] === exitCodes.operator) world.halt(code);
    process.kill(code);
  }

  #watchedSource(fresh: Set<number>, mutant: Mutant): LogSource {
    const { world } = this.process;
    return {
      describe: async (partition) => this.#source.describe(partition),
      start: (partition, offset) => {
        const task = this.runner.tasks.find((owned) => owned.task.partition === partition);
        if (!fresh.has(partition)) world.saw("kept task");
        else if (task !== undefined && offset < task.task.nextOffset) world.saw("canary compared");
        fresh.delete(partition);
        this.#source.start(partition, offset + (mutant.skipAhead?.(this.process) ?? 0));
      },
      pause: (partition) => {
        this.#source.pause(partition);
      },
      resume: (partition) => {
        this.#source.resume(partition);
      },
      commit: async (positions) => this.#source.commit(positions),
    };
  }

  #events(
    store: SimulatedStore,
    results: SimulatedResults,
  ): Omit<RunOptions["events"], "acquired"> {
    const { world, name } = this.process;
    return {
      fenced: ({ partition, seq }) => {
        world.saw("fenced");
        world.unclean = true;
        world.note(`${name} fenced on p${partition}/${seq}`);
        const history = store.histories.get(partition);
        const above = [...(history ?? [])].filter(([number]) => number > seq);
        const others = above.some(
          ([, { frame, by, rotten }]) => by !== name || frame.header.kind === "claim" || rotten,
        );
        if (!others) world.violated(`${name} gives up p${partition}/${seq}, which nobody took`);
      },
      checkpointed() {},
      checkpointFailed: ({ partition, seq, outcome }) => {
        world.note(`${name} p${partition}/${seq} ${outcome}`);
      },
      decided: ({ partition, nextOffset, watermark }) => {
        world.saw("decision");
        world.note(`${name} p${partition} decided ${watermark} at ${nextOffset}`);
      },
      replayLimited: ({ partition, excess }) => {
        world.saw("intake limit");
        world.note(`${name} p${partition} takes nothing more: ${excess}`);
      },
      replayUnlimited: ({ partition }) => {
        world.note(`${name} p${partition} takes records again`);
      },
      operatorDecided: () => {
        world.saw("gap accepted");
      },
      superseded: ({ partition, emptied }) => {
        world.saw("upgrade crossing");
        if (emptied > 0) world.saw("slot emptied");
        results.superseded(partition);
        world.note(`${name} p${partition} supersedes the code before, ${emptied} slots are empty`);
      },
      published() {},
      retried: ({ partition, what, error }) => {
        if (what === "ownership check") world.note(`${name} p${partition} cannot check ownership`);
        else world.note(`${name} p${partition} retries ${what}: ${String(error)}`);
      },
    };
  }
}
