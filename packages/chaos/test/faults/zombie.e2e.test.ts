import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { ServiceProcess } from "../../src/service-process.ts";
import { scrape } from "./fixture/metrics.ts";
import { openPipeline, produced, sumOf } from "./fixture/pipeline.ts";
import { joins, said } from "./fixture/proxied.ts";

/** 60 in the full matrix; by default several times the session of 1 s, so that others take over. */
const freezeMs = Number(process.env["FREEZE_SECONDS"] ?? "5") * 1_000;

test(
  "SIGSTOP (zombie): a frozen processor is fenced, a frozen sink's commit refused, and nothing is wrong",
  { timeout: 120_000 + freezeMs },
  async () => {
    // Seldom enough for every task to hold records that no checkpoint has when it is frozen.
    await using pipeline = await openPipeline({ settings: { CHECKPOINT_INTERVAL: "3s" } });
    const { start, scope } = pipeline;
    const loud = { settings: { LOG_LEVEL: "debug" } };
    const args = ["--rate=1500", "--ads=60", "--late-ratio=0.01", "--seed=9"];
    const producer = start("producer", { args });
    const [zombie, zombieSink] = [start("processor"), start("sink", loud)];
    await zombie.until("under load", ({ status }) => sumOf(status["tasks"], "in") > 2_000);
    await zombieSink.until("writing", ({ status }) => Number(status["documents"]) > 0);
    const successor = start("processor", { name: "processor-2" });
    const successorSink = start("sink", { name: "sink-2" });
    const joined = (service: ServiceProcess): boolean => joins(service) > 0;
    await Promise.all([successor.until("joined", joined), successorSink.until("joined", joined)]);
    await sleep(1_500);

    const frozen = [producer, zombie, zombieSink];
    for (const service of [zombie, zombieSink]) service.send("SIGSTOP");
    await sleep(freezeMs / 2);
    producer.send("SIGSTOP");
    await sleep(freezeMs / 2);
    expect(said(successor, "task acquired")).toBeGreaterThanOrEqual(2);
    const rejoined = joins(zombieSink) + 1;
    for (const service of frozen) service.send("SIGCONT");

    await zombie.until("fenced", (service) => said(service, "task taken by another process") > 0);
    expect(await scrape(zombie, "adstream_fenced_total")).toBeGreaterThanOrEqual(1);
    await zombieSink.until("back", (service) => joins(service) >= rejoined);
    expect(said(zombieSink, "offsets not committed")).toBeGreaterThanOrEqual(1);
    await sleep(1_000);
    expect(await producer.stop()).toMatchObject({ code: 0, stderr: "" });
    expect(await produced(scope)).toBe(producer.status["produced"]);
    await pipeline.drained(zombie, successor);
    for (const one of [zombie, successor]) expect(await one.stop()).toMatchObject({ code: 0 });
    await pipeline.exact();
    for (const one of [zombieSink, successorSink]) {
      expect(await one.stop()).toMatchObject({ code: 0, stderr: "" });
    }
  },
);
