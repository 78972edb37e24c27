import { expect, test } from "vitest";
import type { ServiceName } from "../../src/service-process.ts";
import { openPipeline, preload, sumOf } from "./fixture/pipeline.ts";

const services: readonly [ServiceName, string][] = [
  ["producer", "adstream:producer:acknowledged"],
  ["processor", "adstream:processor:applied"],
  ["sink", "adstream:sink:written"],
];

test.each(services)(
  "OOM of the %s under a heap cap of 96 MiB: the process aborts, and 0 is wrong after the restart",
  async (service, channel) => {
    await using pipeline = await openPipeline();
    const { start } = pipeline;
    const args = ["--rate=800", "--ads=50", "--seed=13"];
    const others = new Map(
      (["producer", "processor", "sink"] as const)
        .filter((name) => name !== service)
        .map((name) => [name, start(name, name === "producer" ? { args } : {})]),
    );
    const victim = start(service, {
      ...(service === "producer" && { args }),
      nodeArguments: ["--max-old-space-size=96", ...preload("process-faults/hoard-memory.ts")],
      settings: { HOARD_AT: channel },
    });
    const { code, signal, stderr } = await victim.exited;
    // What a shell calls 134 and 137.
    expect(signal ?? code).toSatisfy((end) => ["SIGABRT", "SIGKILL", 134, 137].includes(end));
    expect(stderr).toContain("heap out of memory");

    others.set(service, start(service, service === "producer" ? { args } : {}));
    const [producer, processor] = [others.get("producer"), others.get("processor")];
    await producer?.until("producing", ({ status }) => Number(status["produced"]) > 500);
    await processor?.until("reading", ({ status }) => sumOf(status["tasks"], "in") > 500);
    expect(await producer?.stop()).toMatchObject({ code: 0 });
    if (processor !== undefined) await pipeline.drained(processor);
    expect(await processor?.stop()).toMatchObject({ code: 0, stderr: "" });
    await pipeline.exact();
    expect(await others.get("sink")?.stop()).toMatchObject({ code: 0, stderr: "" });
  },
);
