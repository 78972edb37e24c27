import { expect, test } from "vitest";
import { openLog } from "../src/log.ts";
import { reachServer } from "../src/reach-server.ts";
import type { ReachOptions } from "../src/reach-server.ts";

class Refusal extends Error {
  readonly disposition: string;
  constructor(disposition: string) {
    super("connect ECONNREFUSED");
    this.disposition = disposition;
  }
}

type Attempt = () => Promise<string>;

function reach(attempts: Attempt[], signal = new AbortController().signal) {
  const lines: string[] = [];
  const waits: number[] = [];
  const options: ReachOptions<string> = {
    server: "Kafka",
    variable: "KAFKA_BROKERS",
    address: "localhost:9092",
    connect: () => (attempts.shift() ?? (() => Promise.resolve("connected")))(),
    log: openLog({ name: "t", level: "info", destination: { write: (l) => void lines.push(l) } }),
    signal,
    wait: async (delayMs) => {
      waits.push(delayMs);
      signal.throwIfAborted();
    },
    random: () => 1,
  };
  return { result: reachServer(options), lines, waits };
}

const refuse: Attempt = () => Promise.reject(new Refusal("retry"));

test("a server that comes later is waited for, 1 to 30 s between attempts", async () => {
  const { result, waits } = reach(Array.from({ length: 8 }, () => refuse));
  expect(await result).toBe("connected");
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("each refusal is one line with the variable and the address, without a stack", async () => {
  const { result, lines } = reach([refuse]);
  await result;
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: 40,
    server: "Kafka",
    variable: "KAFKA_BROKERS",
    address: "localhost:9092",
    retryInMs: 1_000,
    err: { message: "connect ECONNREFUSED" },
    msg: "server of KAFKA_BROKERS does not answer",
  });
  expect(lines[0]).not.toContain('"stack"');
});

test.each([
  ["a decision", new Refusal("stop")],
  ["an error nobody foresaw", new TypeError("x")],
])("%s is not retried", async (_case, error) => {
  const { result, waits } = reach([() => Promise.reject(error)]);
  await expect(result).rejects.toBe(error);
  expect(waits).toEqual([]);
});

test("a signal ends the waiting with its own reason, whatever the connection says", async () => {
  const stopping = new AbortController();
  const attempt: Attempt = () => {
    stopping.abort();
    return Promise.reject(new Refusal("retry"));
  };
  const { result, lines } = reach([attempt], stopping.signal);
  await expect(result).rejects.toBe(stopping.signal.reason);
  expect(lines).toEqual([]);
});
