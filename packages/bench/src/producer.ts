import { heldWindowMs, producerOptions, settledMs } from "./producer-options.ts";
import { type ProducerRun, runProducer } from "./producer-run.ts";
import { type Bench, type Figures, outputText } from "./results.ts";
import { openServers } from "./servers.ts";

/**
 * How well the producer keeps to its schedule, as the log has it.
 * @returns the exit code: 1 when an event of the schedule is lost or one is in the log twice
 */
export async function producer(args: readonly string[], bench: Bench): Promise<number> {
  const options = producerOptions(args);
  await using servers = await openServers();
  const runs: ProducerRun[] = [];
  for (const model of options.models) {
    process.stderr.write(`${model}: ${options.durationMs / 1_000} s\n`);
    runs.push(await runProducer(model, options, servers));
  }
  const { rate, durationMs, ads, partitions } = options;
  const figures = producerFigures(
    `${rate} Avro events/s of ${ads} ads in ${partitions} partitions for ${durationMs / 1_000} s, one producer with one send in flight, ${servers.description}`,
    runs,
  );
  const exact = runs.every(
    ({ due, acknowledged, sent }) => due === acknowledged && acknowledged === sent,
  );
  if (exact) bench.save(figures);
  process.stdout.write(outputText(bench.from, figures, options.json));
  return exact ? 0 : 1;
}

export function producerFigures(setting: string, runs: readonly ProducerRun[]): Figures {
  const held = `worst ${heldWindowMs / 1_000} s off by %`;
  return {
    setting,
    tables: [
      {
        caption: "what was due by the seed's schedule against when the broker had it",
        columns: [
          { name: "model" },
          { name: "due" },
          { name: "acknowledged" },
          { name: "in the log" },
          { name: "events/s" },
          { name: held, digits: 2 },
          { name: "from s", digits: 1 },
          { name: `from ${settledMs / 1_000} s on`, digits: 2 },
          ...["late p50 ms", "p99", "max"].map((name) => ({ name })),
          { name: "CPU s/M", digits: 2 },
          { name: "RSS MB" },
        ],
        rows: runs.map(
          ({
            model,
            due,
            acknowledged,
            sent,
            seconds,
            worst,
            worstSettled,
            delayMs,
            producer: used,
          }) => [
            model,
            due,
            acknowledged,
            sent,
            sent / seconds,
            worst.share * 100,
            worst.fromMs / 1_000,
            worstSettled.share * 100,
            delayMs.p50,
            delayMs.p99,
            delayMs.max,
            (used.cpuMs * 1_000) / sent,
            used.peakRssMiB,
          ],
        ),
      },
    ],
    raw: runs,
  };
}
