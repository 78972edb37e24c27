import { decodeFrame, type Frame } from "../../src/checkpoint.ts";
import type { TaskOutput } from "../../src/ports.ts";
import type { RunOptions } from "../../src/run-options.ts";
import { TaskRunner } from "../../src/run-tasks.ts";
import type { WindowedJob } from "../../src/windowed-job.ts";
import { createSeen, rowsOf, see, type Seen } from "../drive-task.ts";
import type { OracleResult } from "../oracle.ts";
import { FakeLog, FakeSource } from "./fake-log.ts";
import { FaultyStore } from "./faulty-store.ts";
import { VirtualClock } from "./virtual-clock.ts";

export const testJob: WindowedJob = {
  window: { sizeMs: 60, slideMs: 60 },
  watermarkDelayMs: 10,
  allowedLatenessMs: 0,
  maxFutureMs: 1_000_000,
  sumCount: 1,
};

/** What processes share: the logs, the store and time. */
export class FakeWorld {
  readonly clock = new VirtualClock();
  readonly log = new FakeLog();
  readonly objects = new Map<string, Uint8Array>();
  /** What a reader of the results topic has seen. */
  readonly seen: Seen = createSeen();
  /** Every result row that was acknowledged, in order, with its epoch and process. */
  readonly rows: (OracleResult & { readonly jobEpoch: number; readonly by: string })[] = [];
  #nonces = 0;

  nextNonce(): string {
    return `nonce ${++this.#nonces}`;
  }

  /** Frames of a partition by number, unreadable ones left out. */
  frames(partition = 0): Map<number, Frame> {
    const folder = `job/p${String(partition).padStart(4, "0")}/`;
    const frames = new Map<number, Frame>();
    for (const name of [...this.objects.keys()].sort()) {
      const bytes = this.objects.get(name);
      if (name.startsWith(folder) && bytes) {
        frames.set(Number(name.slice(folder.length)), decodeFrame(bytes));
      }
    }
    return frames;
  }

  /** Kinds of the frames, lowest number first: "claim checkpoint …". */
  kinds(partition = 0): string {
    return [...this.frames(partition).values()].map(({ header }) => header.kind).join(" ");
  }
}

/** A process that runs tasks, with everything around it faked. */
export class FakeProcess {
  readonly world: FakeWorld;
  readonly store: FaultyStore;
  readonly source: FakeSource;
  readonly runner: TaskRunner;
  readonly options: RunOptions;
  /** What happened, in order: publishes, creates, commits, events. */
  readonly trace: string[] = [];
  readonly fatal: unknown[] = [];
  /** Stands between publishing and its acknowledgement. */
  beforeAck: () => Promise<void> = async () => {};

  constructor(world: FakeWorld, instance = "one", parts: Partial<RunOptions> = {}) {
    this.world = world;
    this.store = new FaultyStore(world.objects);
    this.source = new FakeSource(world.log, this.trace);
    const { trace, fatal } = this;
    const note =
      (name: string) =>
      (event: { partition: number }): void =>
        void trace.push(`${name} p${event.partition}`);
    this.options = {
      job: {
        name: "job",
        windowed: testJob,
        topology: "topology",
        startAt: async ({ low }) => low,
      },
      onlyFinal: false,
      emitIntervalMs: 1_000,
      checkpointIntervalMs: 5_000,
      idleTimeoutMs: 30_000,
      source: this.source,
      results: { publish: (output) => this.#publish(instance, output) },
      store: { ...bound(this.store), create: (name, bytes) => this.#create(name, bytes) },
      codec: { compress: async (bytes) => bytes, decompress: async (bytes) => bytes },
      clock: world.clock,
      instance,
      nonce: () => world.nextNonce(),
      events: {
        acquired: note("acquired"),
        fenced: note("fenced"),
        checkpointed: note("checkpointed"),
        checkpointFailed: note("checkpoint failed"),
        replayLimited: note("replay limited"),
        replayUnlimited: note("replay unlimited"),
        decided: note("decided"),
        published: () => {},
        retried: note("retried"),
      },
      fatal: (error) => fatal.push(error),
      ...parts,
    };
    this.runner = new TaskRunner(this.options);
    this.source.handler = this.runner;
  }

  async #publish(instance: string, output: TaskOutput): Promise<void> {
    const { partition, jobEpoch, results, deadLetters, late } = output;
    const aside = deadLetters.length + late.length;
    this.trace.push(`publish p${partition} ${results.count}+${aside}`);
    await this.beforeAck();
    this.trace.push(`acked p${partition}`);
    see(this.world.seen, output);
    for (const row of rowsOf(output)) this.world.rows.push({ ...row, jobEpoch, by: instance });
  }

  async #create(name: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    const { kind, seq, partition } = decodeFrame(bytes).header;
    const outcome = await this.store.create(name, bytes);
    this.trace.push(`${kind} p${partition} ${seq} ${outcome}`);
    return outcome;
  }
}

function bound(store: FaultyStore): Pick<RunOptions["store"], "read" | "list" | "remove"> {
  return {
    read: (name) => store.read(name),
    list: (folder) => store.list(folder),
    remove: (name) => store.remove(name),
  };
}
