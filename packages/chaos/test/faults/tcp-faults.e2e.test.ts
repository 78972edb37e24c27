import { setTimeout as sleep } from "node:timers/promises";
import { test } from "vitest";
import { apiKeys } from "../../src/proxy/kafka-frames.ts";
import { seededRandom } from "../../src/random.ts";
import {
  finishFlow,
  full,
  openProxied,
  type Proxied,
  seeds,
  startFlow,
} from "./fixture/proxied.ts";

const lastsMs = full ? 30_000 : 3_000;

type Scenario = readonly [name: string, disturb: (proxied: Proxied, seed: number) => Promise<void>];

const each = ({ kafka, mongo, registry }: Proxied) => [kafka, mongo, registry];

const scenarios: readonly Scenario[] = [
  [
    "TCP cut",
    async (proxied, seed) => {
      const random = seededRandom(seed);
      for (const end = performance.now() + lastsMs; performance.now() < end;) {
        for (const proxy of each(proxied)) proxy.cut("close");
        await sleep(random.between(50, 700));
      }
    },
  ],
  [
    "half-open",
    async (proxied) => {
      for (const proxy of each(proxied)) proxy.cut("silence");
      await sleep(lastsMs);
      // Left alone, clients notice when a request has waited for 30 s.
      if (full) await sleep(30_000);
      else for (const proxy of each(proxied)) proxy.cut("reset");
    },
  ],
  [
    "5 s latency",
    async (proxied) => {
      for (const proxy of each(proxied)) proxy.set({ latencyMs: full ? 2_500 : 800 });
      await sleep(lastsMs * 2);
    },
  ],
  [
    "16 KB/s",
    async (proxied) => {
      for (const proxy of each(proxied)) proxy.set({ bytesPerSecond: 16_384 });
      await sleep(lastsMs * 2);
    },
  ],
  [
    "reset mid-frame",
    async ({ kafka, mongo }, seed) => {
      const random = seededRandom(seed);
      const wholeBytes = 40;
      for (const apiKey of [apiKeys.produce, apiKeys.fetch, apiKeys.heartbeat, apiKeys.metadata]) {
        for (const direction of ["request", "response"] as const) {
          const passBytes = Math.floor(random.between(0, wholeBytes));
          const skip = Math.floor(random.between(0, 20));
          kafka.add({ apiKey, direction, skip, action: { passBytes, ending: "reset" } });
        }
      }
      for (const direction of ["request", "response"] as const) {
        const passBytes = Math.floor(random.between(0, wholeBytes));
        mongo.add({ direction, count: 2, action: { passBytes, ending: "reset" } });
      }
      await sleep(lastsMs);
    },
  ],
];
const cases = scenarios.flatMap(([name, disturb]) =>
  seeds.map((seed) => ({ name, seed, disturb })),
);

test.each(cases)(
  "$name, seed $seed: nothing wrong, no rejection unhandled",
  async ({ disturb, seed }) => {
    await using proxied = await openProxied();
    const flow = await startFlow(proxied);
    await disturb(proxied, seed);
    for (const proxy of each(proxied)) proxy.heal();
    await finishFlow(proxied, flow);
  },
);
