import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { procSample } from "../../src/process-samples.ts";
import type { ServiceProcess } from "../../src/service-process.ts";
import { type BrokerProcess, openBrokerProcess } from "./fixture/broker-process.ts";
import { openPipeline, sumOf } from "./fixture/pipeline.ts";
import { finishFlow, type Flow, full, startFlow } from "./fixture/proxied.ts";

const awayMs = full ? 60_000 : 8_000;
const resumedWithinMs = 30_000;
const maxGrowthMiB = 64;

type Outage = readonly [name: string, fault: (broker: BrokerProcess) => Promise<void>];

const outages: readonly Outage[] = [
  [
    "kill -9",
    async (broker) => {
      await broker.kill();
      await sleep(awayMs);
      await broker.start();
    },
  ],
  [
    "stop",
    async (broker) => {
      broker.send("SIGSTOP");
      await sleep(awayMs);
      broker.send("SIGCONT");
    },
  ],
];

test.each(outages)(
  `broker %s, away for ${awayMs / 1_000} s: backlog bounded, all resume within 30 s, nothing wrong`,
  async (_name, fault) => {
    await using broker = await openBrokerProcess();
    const settings = { KAFKA_BROKERS: broker.brokers, KAFKA_SESSION_TIMEOUT: "6s" };
    await using pipeline = await openPipeline({ settings });
    const flow = await startFlow({ pipeline, settings: {} });
    const services = Object.values(flow);
    const before = services.map(residentMiB);
    await fault(broker);
    const returnedAt = performance.now();
    const reached = figures(flow);
    await expect
      .poll(() => figures(flow).map((figure, i) => figure > (reached[i] ?? 0) + 100), {
        timeout: resumedWithinMs,
      })
      .toEqual([true, true, true]);
    expect(performance.now() - returnedAt).toBeLessThan(resumedWithinMs);
    const growth = services.map((service, i) => residentMiB(service) - (before[i] ?? 0));
    expect(Math.max(...growth)).toBeLessThanOrEqual(maxGrowthMiB);
    await finishFlow({ pipeline }, flow);
  },
);

/** How far each has come. */
function figures({ producer, processor, sink }: Flow): number[] {
  return [
    Number(producer.status["produced"]),
    sumOf(processor.status["tasks"], "nextOffset"),
    Number(sink.status["documents"]),
  ];
}

function residentMiB({ pid }: ServiceProcess): number {
  return procSample(pid)?.rssMiB ?? Infinity;
}
