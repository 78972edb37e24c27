import { expect, test } from "vitest";
import { apiKeys } from "../../src/proxy/kafka-frames.ts";
import { openProxied } from "./fixture/proxied.ts";

const endsWithinMs = 20_000;

test.each(["joinGroup", "syncGroup", "findCoordinator", "offsetFetch"] as const)(
  "TCP cut in the first %s: the service goes on, or ends with 70 in one line, soon, for a new process to start clean",
  async (api) => {
    await using proxied = await openProxied();
    const { kafka, pipeline, settings } = proxied;
    const fault = kafka.add({ apiKey: apiKeys[api], action: { passBytes: 0, ending: "close" } });
    const processor = pipeline.start("processor", { settings });
    const assigned = (): boolean => processor.log.some(({ msg }) => msg === "partitions assigned");
    const settled = (): boolean => fault.hits === 1 && (assigned() || !processor.running);
    await expect.poll(settled, { timeout: endsWithinMs }).toBe(true);
    if (!processor.running) {
      const { code, stderr } = await processor.exited;
      expect([code, stderr]).toEqual([70, expect.stringMatching(/^adstream processor: [^\n]+\n$/)]);
    }
    const next = pipeline.start("processor", { settings, name: "next" });
    await next.until("assigned", ({ log }) => log.some(({ msg }) => msg === "partitions assigned"));
    expect(await next.stop()).toMatchObject({ code: 0, stderr: "" });
  },
);
