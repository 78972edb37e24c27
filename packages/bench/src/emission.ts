import { randomBytes } from "node:crypto";
import { type EmissionOptions, emissionOptions } from "./emission-options.ts";
import { type EmissionRun, runEmission } from "./emission-run.ts";
import { isRight } from "./oracle.ts";
import { type Bench, type Figures, outputText } from "./results.ts";
import { openServers } from "./servers.ts";
import { openTopics, stockClient } from "./topics.ts";

/**
 * How many changed results a second processor and sink keep up with, and what becomes of those that wait.
 * @returns the exit code: 1 when a result or a document is wrong
 */
export async function emission(args: readonly string[], bench: Bench): Promise<number> {
  const options = emissionOptions(args);
  await using servers = await openServers({ mongo: true });
  const kafka = stockClient(servers.brokers);
  const name = `bench-${randomBytes(4).toString("hex")}`;
  await using topics = await openTopics(servers, name, options.partitions);
  const { admin, names, schemaId } = topics;
  const run = await runEmission(options, {
    ...servers,
    kafka,
    admin,
    name,
    topics: names,
    schemaId,
  });
  const figures = emissionFigures(options, servers.description, run);
  const exact = isRight(run.inKafka) && isRight(run.inMongo);
  if (exact) bench.save(figures);
  process.stdout.write(outputText(bench.from, figures, options.json));
  return exact ? 0 : 1;
}

export function emissionFigures(
  { rate, ads, durationMs, emitInterval, codec, apart }: EmissionOptions,
  servers: string,
  run: EmissionRun,
): Figures {
  const seconds = durationMs / 1_000;
  const services = apart ? "one processor, then one sink" : "one processor and one sink";
  const sink = apart
    ? ["brought to MongoDB by the sink", run.results / (run.behindMs / 1_000), run.results]
    : ["written by the sink", run.writes / seconds, run.writes];
  const wrong = [run.inKafka, run.inMongo].map((one) => one.wrong + one.missing + one.extra);
  return {
    setting: `${rate} events/s of ${ads} ads for ${seconds} s, windows of 10 s, results each ${emitInterval}, codec ${codec}, ${servers}, ${services}`,
    tables: [
      {
        caption: "changed results",
        columns: [
          { name: "" },
          { name: "a second" },
          { name: "in all" },
          { name: "right" },
          { name: "wrong" },
          apart ? { name: "CPU s", digits: 1 } : { name: "CPU s/min under load", digits: 1 },
          { name: "peak RSS MiB" },
        ],
        rows: [
          [
            "published by the processor",
            run.results / seconds,
            run.results,
            run.inKafka.right,
            wrong[0] ?? 0,
            apart ? run.processor.cpuSeconds : run.processor.cpuSecondsPerMinute,
            run.processor.peakRssMiB,
          ],
          [
            ...sink,
            run.inMongo.right,
            wrong[1] ?? 0,
            apart ? run.sink.cpuSeconds : run.sink.cpuSecondsPerMinute,
            run.sink.peakRssMiB,
          ],
        ],
      },
      {
        caption: "",
        columns: [
          { name: "documents written" },
          { name: "results that waited, at most" },
          { name: apart ? "sink done after ms" : "sink behind the last event by ms" },
        ],
        rows: [[run.writes, apart ? run.results : run.mostWaiting, run.behindMs]],
      },
    ],
    raw: run,
  };
}
