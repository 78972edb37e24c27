import { expect, test } from "vitest";
import { apiKeys } from "../../src/proxy/kafka-frames.ts";
import { finishFlow, openProxied, startFlow } from "./fixture/proxied.ts";

const losses = 12;

test("response lost (K1 proxy): producer and processor are exact, records are as many as sends", async () => {
  await using proxied = await openProxied();
  const { kafka } = proxied;
  const flow = await startFlow(proxied);
  // Of both of them: sends of events, and of results.
  const faults = Array.from({ length: losses }, (_, index) =>
    kafka.add({
      apiKey: apiKeys.produce,
      skip: index * 7,
      action: { passBytes: 0, ending: "close" },
    }),
  );
  await expect
    .poll(() => faults.filter(({ hits }) => hits > 0).length, { timeout: 60_000 })
    .toBe(losses);
  await finishFlow(proxied, flow);
});
