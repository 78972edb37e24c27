import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Admin } from "kafkajs";
import { startMeasured, type Usage } from "./measured-process.ts";
import { defaultWindow, type OracleWindow } from "./oracle.ts";

export type ProcessorOptions = {
  readonly admin: Admin;
  readonly environment: Readonly<Record<string, string>>;
  readonly topic: string;
  /** Tells the topics and groups of this run from others. */
  readonly run: string;
  /** What the oracle counts by; the processor's default unless said. */
  readonly window?: OracleWindow;
  /** Arguments for the Node of the processor, like --cpu-prof. */
  readonly nodeArguments?: readonly string[];
  /** What starts each process instead of us, if anything. */
  readonly under?: readonly string[] | undefined;
};

/** Processors of one group; disposing of them ends them and removes their results. */
export type RunningProcessors = AsyncDisposable & {
  readonly resultsTopic: string;
  /** Resolves when so many records were applied, to a second. @throws {Error} when a processor ended before */
  applied(records: number): Promise<void>;
  /** When the first partition might be read, epoch ms; as the peers have it, whose start ends with their first record. */
  begunAt(): number;
  /** User and system time of all since then. */
  cpuReadingMs(): number;
  /** Ends them. @throws {Error} when one ended with another code than 0 */
  stop(): Promise<Usage & { readonly cpuReadingMs: number }>;
};

const program = fileURLToPath(new URL("../../processor/src/main.ts", import.meta.url));

/** Starts processors that share their checkpoints, in a temporary folder, and have results topics of their own. */
export async function startProcessors(
  options: ProcessorOptions,
  processors: number,
): Promise<RunningProcessors> {
  const { admin, environment, topic, run, under } = options;
  const { window = defaultWindow, nodeArguments = [] } = options;
  const topics = {
    RESULTS_TOPIC: `${run}-results`,
    DEAD_LETTER_TOPIC: `${run}-dead`,
    LATE_TOPIC: `${run}-late`,
  };
  await createOutputTopics(admin, Object.values(topics));
  const checkpoints = await mkdtemp(join(tmpdir(), "adstream-bench-"));
  const applied = new AppliedRecords();
  let begunAt = 0;
  let cpuBeforeMs = 0;
  const children = Array.from({ length: processors }, () =>
    startMeasured({
      program,
      nodeArguments,
      under,
      environment: {
        ...environment,
        ...oracleSettings(window),
        ...topics,
        EVENTS_TOPIC: topic,
        PROCESSOR_GROUP: run,
        CHECKPOINT_URL: `file:${checkpoints}`,
        HTTP_PORT: "0",
        LOG_LEVEL: "info",
      },
      onLine(line) {
        if (begunAt > 0 || !line.includes(`"task acquired"`)) return;
        begunAt = new Date(Reflect.get(Object(JSON.parse(line)), "time")).getTime();
        cpuBeforeMs = cpuSoFarMs();
      },
      onMessage: (message) => applied.note(message),
    }),
  );
  const cpuSoFarMs = (): number => sum(children.map((child) => child.cpuSoFarMs()));
  const ended = Promise.all(children.map(({ usage }) => usage));
  // Whoever waits hears of it; nobody may be waiting yet.
  ended.catch(() => {});
  const stopAll = (): void => children.forEach((child) => child.stop());
  return {
    resultsTopic: topics.RESULTS_TOPIC,
    applied: (records) => Promise.race([applied.reach(records), endedEarly(ended)]),
    begunAt: () => begunAt,
    cpuReadingMs: () => cpuSoFarMs() - cpuBeforeMs,
    async stop() {
      stopAll();
      const usages = await ended;
      const cpuMs = sum(usages.map((usage) => usage.cpuMs));
      const peakRssMiB = sum(usages.map((usage) => usage.peakRssMiB));
      return { cpuMs, peakRssMiB, cpuReadingMs: cpuMs - cpuBeforeMs };
    },
    async [Symbol.asyncDispose]() {
      stopAll();
      await Promise.allSettled(children.map(({ usage }) => usage));
      await rm(checkpoints, { recursive: true });
      await admin.deleteTopics({ topics: Object.values(topics) });
    },
  };
}

/** Whatever the environment says. */
function oracleSettings({ sizeMs, slideMs }: OracleWindow): Readonly<Record<string, string>> {
  return {
    START_AT: "earliest",
    WINDOW_SIZE: `${sizeMs}ms`,
    WINDOW_SLIDE: `${slideMs}ms`,
    WATERMARK_DELAY: "10s",
    ALLOWED_LATENESS: "0s",
  };
}

/** The log's own clock says when a result was there. */
async function createOutputTopics(admin: Admin, topics: readonly string[]): Promise<void> {
  const configEntries = [{ name: "message.timestamp.type", value: "LogAppendTime" }];
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics.map((topic) => ({ topic, numPartitions: 4, configEntries })),
  });
}

async function endedEarly(ended: Promise<unknown>): Promise<never> {
  await ended;
  throw new Error("the processors ended before they had applied everything");
}

/** How many records of each partition were applied since the beginning of the log, as a status says each second. */
class AppliedRecords {
  readonly #byPartition = new Map<number, number>();
  #wanted = Infinity;
  #reached = Promise.withResolvers<void>();

  note(status: unknown): void {
    const tasks: unknown = Reflect.get(Object(status), "tasks");
    if (!Array.isArray(tasks)) return;
    for (const task of tasks.map(Object)) {
      const partition = Number(Reflect.get(task, "partition"));
      const before = this.#byPartition.get(partition) ?? 0;
      // Of a partition that moved two processors may speak.
      this.#byPartition.set(partition, Math.max(before, Number(Reflect.get(task, "in"))));
    }
    this.#look();
  }

  reach(records: number): Promise<void> {
    this.#wanted = records;
    this.#reached = Promise.withResolvers();
    this.#look();
    return this.#reached.promise;
  }

  #look(): void {
    if (sum([...this.#byPartition.values()]) >= this.#wanted) this.#reached.resolve();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
