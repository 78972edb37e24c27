import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { finishFlow, joins, openProxied, type Proxied, startFlow } from "./fixture/proxied.ts";

/** Longer than a session. */
const outageMs = 7_000;

type Outage = readonly [name: string, begin: (proxied: Proxied) => void];

const outages: readonly Outage[] = [
  ["500", ({ pipeline }) => pipeline.servers.schemaRegistry.setOutage({ status: 500 })],
  ["timeout", ({ pipeline }) => pipeline.servers.schemaRegistry.setOutage("hang")],
  ["404", ({ pipeline }) => pipeline.servers.schemaRegistry.setOutage({ status: 404 })],
  ["slow", ({ registry }) => registry.set({ latencyMs: 700 })],
];

test.each(outages)(
  "registry %s: the producer goes on, who needs a schema waits, no dead letter, nothing lost",
  async (_name, begin) => {
    await using proxied = await openProxied();
    const { pipeline, settings, registry } = proxied;
    const flow = await startFlow(proxied);
    expect(await flow.processor.stop()).toMatchObject({ code: 0, stderr: "" });
    expect(await flow.sink.stop()).toMatchObject({ code: 0, stderr: "" });
    const produced = Number(flow.producer.status["produced"]);
    // Who starts now knows no schema: neither the one to read, nor, as a processor, the one to write.
    begin(proxied);
    const processor = pipeline.start("processor", { settings, name: "processor-2" });
    const sink = pipeline.start("sink", { settings, name: "sink-2" });
    await sleep(outageMs);
    expect(Number(flow.producer.status["produced"])).toBeGreaterThan(produced + 500);
    pipeline.servers.schemaRegistry.setOutage(null);
    registry.heal();
    await finishFlow(proxied, { producer: flow.producer, processor, sink });
    expect((await pipeline.exact()).dead.different).toBe(0);
    expect([joins(processor), joins(sink)]).toEqual([1, 1]);
  },
);
