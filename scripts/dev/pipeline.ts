import { setTimeout as sleep } from "node:timers/promises";
import { type Child, type ChildOptions, startChild } from "./child.ts";
import { PipelineFigures } from "./status.ts";

export type PipelineOptions = Pick<ChildOptions, "logDirectory" | "say" | "onGiveUp"> & {
  readonly environment: Readonly<Record<string, string>>;
  readonly processors: number;
  /** Arguments of the producer. */
  readonly traffic: readonly string[];
};

/** Producer, processors and sink, running as processes of their own. */
export type Pipeline = {
  readonly figures: PipelineFigures;
  /** Resolves when the producer has sent all it was told to. */
  readonly produced: Promise<void>;
  /** Process id of a running child: producer, sink, processor or processor-1, processor-2, … */
  pid(name: string): number | undefined;
  /** Where each serves health and metrics, by name. */
  readonly urls: ReadonlyMap<string, string>;
  /**
   * Stops in the order of the flow, each when nothing is left for it to do.
   * @returns what could not be finished cleanly
   */
  drain(): Promise<readonly string[]>;
  /** Stops in the order of the flow, without waiting for what is still under way. */
  stop(): Promise<void>;
};

const drainTimeoutMs = 60_000;
const lookEveryMs = 200;
/** Figures come once a second: these many looks without lag in a row are newer than the last record. */
const quietLooks = 11;

export function startPipeline(options: PipelineOptions): Pipeline {
  const figures = new PipelineFigures();
  const urls = new Map<string, string>();
  const start = (name: string, program: string, args: readonly string[] = []): Child =>
    startChild({
      ...options,
      name,
      program: `packages/${program}/src/main.ts`,
      args,
      onMessage(message) {
        if (typeof message["url"] === "string") urls.set(name, message["url"]);
        figures.add(name, message);
      },
      onEnd: () => figures.forget(name),
    });
  // The reader before the writer, so that the first record finds somebody.
  const sink = start("sink", "sink");
  const processors = Array.from({ length: options.processors }, (_, index) =>
    start(options.processors === 1 ? "processor" : `processor-${index + 1}`, "processor"),
  );
  const producer = start("producer", "producer", options.traffic);
  const stopProcessors = async (): Promise<(number | null)[]> =>
    Promise.all(processors.map((processor) => processor.stop()));
  return {
    figures,
    urls,
    produced: producer.done,
    pid: (name) => [producer, sink, ...processors].find((child) => child.name === name)?.pid,
    async drain() {
      const unclean: string[] = [];
      const note = (name: string, codes: readonly (number | null)[]): void => {
        for (const code of codes) if (code !== 0) unclean.push(`${name} ended with code ${code}`);
      };
      note("producer", [await producer.stop()]);
      const { produced } = figures.status(performance.now());
      if (!(await settled(() => processed(figures, produced))))
        unclean.push("the processor did not catch up");
      note("processor", await stopProcessors());
      if (!(await settled(() => figures.status(performance.now()).sinkLagRecords === 0))) {
        unclean.push("the sink did not catch up");
      }
      note("sink", [await sink.stop()]);
      return unclean;
    },
    async stop() {
      await producer.stop();
      await stopProcessors();
      await sink.stop();
    },
  };
}

function processed(figures: PipelineFigures, produced: number): boolean {
  const { lagRecords, in: seen } = figures.status(performance.now());
  return lagRecords === 0 && seen >= produced;
}

/** Whether `quiet` holds for long enough to be believed, within the time there is. */
async function settled(quiet: () => boolean): Promise<boolean> {
  const until = performance.now() + drainTimeoutMs;
  let looks = 0;
  while (performance.now() < until) {
    looks = quiet() ? looks + 1 : 0;
    if (looks >= quietLooks) return true;
    await sleep(lookEveryMs);
  }
  return false;
}
