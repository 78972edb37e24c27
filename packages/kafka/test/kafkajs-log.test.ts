import { kafkajsLog } from "@adstream/kafka/kafkajs-log";
import kafkajs from "kafkajs";
import { expect, test } from "vitest";

import { memoryLog } from "./broker-fixture.ts";

const { DEBUG, WARN, ERROR } = kafkajs.logLevel;

function entry(namespace: string, message: string, level = ERROR, extra: object = {}) {
  const log = { timestamp: "", message, stack: "at secret", sasl: "secret", ...extra };
  return { namespace, level, label: "", log };
}

test("errors of kafkajs are warnings, with allow-listed fields only", () => {
  const log = memoryLog();
  const write = kafkajsLog(log, ["b:9092"])(WARN);
  write(entry("Consumer", "Something odd", ERROR, { topic: "t", groupId: "g" }));
  expect(log.lines).toEqual([
    'warn kafka client warned {"client":"kafkajs","text":"Something odd","groupId":"g","topic":"t"}',
  ]);
});

test("a level raised by the environment lets nothing more through", () => {
  const log = memoryLog();
  kafkajsLog(log, [])(DEBUG)(entry("Connection", "Request", DEBUG, { payload: "secret" }));
  expect(log.lines).toEqual([]);
});

test("brokers out of reach are one line per 30 s, naming the variable", () => {
  const log = memoryLog();
  let nowMs = 0;
  const write = kafkajsLog(log, ["b:9092", "c:9092"], () => nowMs)(WARN);
  for (; nowMs < 61_000; nowMs += 1_000) {
    write(
      entry("Connection", "Connection error: connect ECONNREFUSED", ERROR, { broker: "b:9092" }),
    );
    write(entry("BrokerPool", "Failed to connect to seed broker", WARN));
  }
  expect(log.lines).toHaveLength(3);
  expect(log.lines[0]).toContain('"KAFKA_BROKERS":"b:9092,c:9092"');
});

test.each(["Response Heartbeat(key: 12, version: 3)", "The group is rebalancing, re-joining"])(
  "what belongs to every rebalance is for debugging: %s",
  (message) => {
    const log = memoryLog();
    kafkajsLog(log, [])(WARN)(entry("Runner", message));
    expect(log.lines[0]).toMatch(/^debug /);
  },
);
