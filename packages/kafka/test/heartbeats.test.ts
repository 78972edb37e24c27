import { heartbeats, rejoinFollows } from "@adstream/kafka/heartbeats";
import { expect, test } from "vitest";

import { until } from "./broker-fixture.ts";
import { sleep } from "./reading.ts";

test("long work is beaten through, and its result passes", async () => {
  let beats = 0;
  const beating = heartbeats(() => Promise.resolve(void beats++), 10);
  const work = until(() => beats > 2).then(() => "done");
  expect(await beating.during(work)).toBe("done");
});

test("the first failure is kept and nothing beats after it; the work goes on", async () => {
  let beats = 0;
  const failure = Object.assign(new Error("x"), { type: "REBALANCE_IN_PROGRESS" });
  const beating = heartbeats(() => {
    beats++;
    return Promise.reject(failure);
  }, 5);
  await beating.during(sleep(60));
  expect(beating.failure).toBe(failure);
  expect(beats).toBe(1);
});

test("short work is not worth a beat", async () => {
  let beats = 0;
  const beating = heartbeats(() => Promise.resolve(void beats++), 1_000);
  for (let i = 0; i < 100; i++) await beating.beat();
  expect(beats).toBe(0);
});

test.each([
  ["REBALANCE_IN_PROGRESS", true],
  ["UNKNOWN_MEMBER_ID", true],
  ["ILLEGAL_GENERATION", true],
  ["REQUEST_TIMED_OUT", false],
])("%s of a heartbeat means a rejoin: %s", (type, follows) => {
  expect(rejoinFollows(Object.assign(new Error("x"), { type }))).toBe(follows);
});
