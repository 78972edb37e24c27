import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openPipeline, sumOf } from "./fixture/pipeline.ts";
import { finishFlow, type Flow, full, joins, startFlow } from "./fixture/proxied.ts";

const stormMs = full ? 300_000 : 12_000;
const calmMs = 4_000;
const everyMs = 2_000;
const leastProgress = 0.2;

test(`rebalance storm (join or leave each 2 s, ${stormMs / 1_000} s): nothing wrong, at least 20 % of the calm rate`, async () => {
  await using pipeline = await openPipeline();
  const flow = await startFlow({ pipeline, settings: {} });
  const calm = await recordsPerSecond(flow, calmMs, async () => sleep(calmMs));
  const stormy = await recordsPerSecond(flow, stormMs, async () => {
    for (const end = performance.now() + stormMs; performance.now() < end;) {
      const guests = [
        pipeline.start("processor", { name: "guest-processor" }),
        pipeline.start("sink", { name: "guest-sink" }),
      ];
      // A busy machine may take longer to start them than they are to stay.
      for (const guest of guests) await guest.until("assigned", (one) => joins(one) > 0);
      await Promise.all(guests.map((guest) => guest.stop()));
      await sleep(everyMs);
    }
  });
  expect(joins(flow.processor)).toBeGreaterThan(2);
  expect(stormy).toBeGreaterThanOrEqual(calm * leastProgress);
  await finishFlow({ pipeline }, flow);
});

/** Progress of whoever stays; what the guests do comes on top. */
async function recordsPerSecond(
  { processor }: Flow,
  spanMs: number,
  during: () => Promise<void>,
): Promise<number> {
  const position = (): number => sumOf(processor.status["tasks"], "nextOffset");
  const before = position();
  await during();
  await processor.until("reading again", () => position() > before, 10_000);
  return ((position() - before) / spanMs) * 1_000;
}
