import { WindowedAggregate } from "@adstream/engine/windowed-aggregate";
import { beforeEach, expect, test } from "vitest";
import { fetchPace } from "../src/fetch-pace.ts";

const windowMs = 10_000;
const delayMs = 2_000;
let nowMs: number;
let tasks: { task: { partition: number; aggregate: WindowedAggregate } }[];
let pace: () => number;

function addTask(partition: number): { completeTo(time: number): void } {
  const window = { sizeMs: windowMs, slideMs: windowMs };
  const job = { window, watermarkDelayMs: delayMs, allowedLatenessMs: 0, maxFutureMs: 0 };
  const aggregate = new WindowedAggregate({ ...job, sumCount: 0 }, 0);
  tasks.push({ task: { partition, aggregate } });
  return { completeTo: (time) => void (aggregate.watermark.highest = time + delayMs) };
}

const paceWith = (emitIntervalMs: number): (() => number) =>
  fetchPace({ tasks: () => tasks, emitIntervalMs, clock: { nowMs: () => nowMs } });

beforeEach(() => {
  nowMs = 500;
  tasks = [];
  pace = paceWith(1_000);
});

test("fetches come seldom while no window is about to close", () => {
  expect(pace()).toBe(50);
  const task = addTask(0);
  expect(pace()).toBe(50);
  for (let time = 10_000; time < 19_800; time += 50) {
    task.completeTo(time);
    expect(pace()).toBe(50);
    nowMs += 50;
  }
});

test("they hurry when the next stride is likely to close one, of any partition, and rest when it is closed", () => {
  addTask(0).completeTo(11_000);
  const task = addTask(1);
  task.completeTo(19_800);
  pace();
  task.completeTo(19_860);
  expect(pace()).toBe(50);
  task.completeTo(19_920);
  expect(pace()).toBe(20);
  task.completeTo(19_970);
  expect(pace()).toBe(1);
  task.completeTo(20_010);
  expect(pace()).toBe(50);
});

test("event time goes on while no event comes, but not for ever", () => {
  const task = addTask(0);
  task.completeTo(19_900);
  expect(pace()).toBe(50);
  nowMs += 80;
  expect(pace()).toBe(20);
  nowMs += 20;
  expect(pace()).toBe(1);
  nowMs += 999;
  expect(pace()).toBe(1);
  nowMs += 2;
  expect(pace()).toBe(50);
});

test("early results of short intervals are not held up", () => {
  expect(paceWith(100)()).toBe(20);
  expect(paceWith(10)()).toBe(2);
  expect(paceWith(1)()).toBe(1);
  expect(paceWith(Number.POSITIVE_INFINITY)()).toBe(50);
});
