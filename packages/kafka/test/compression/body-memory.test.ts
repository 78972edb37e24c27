import { expect, test } from "vitest";

import { BodyMemory } from "../../src/compression/body-memory.ts";

const mostBytes = 4 * 1024 * 1024;

test("a body lies where the one before it lay", () => {
  const memory = new BodyMemory();
  const first = memory.take(100);
  const second = memory.take(60);
  expect(first).toHaveLength(100);
  expect(second).toHaveLength(60);
  second[0] = 7;
  expect(first[0]).toBe(7);
  expect(memory.holds(second)).toBe(true);
});

test("a longer one gets memory that serves from then on", () => {
  const memory = new BodyMemory();
  const short = memory.take(100);
  const long = memory.take(101);
  expect(memory.holds(short)).toBe(false);
  expect(memory.holds(long)).toBe(true);
  expect(memory.take(1).buffer).toBe(long.buffer);
});

test("one of more than 4 MiB gets memory of its own, and what was kept stays", () => {
  const memory = new BodyMemory();
  const kept = memory.take(mostBytes);
  const large = memory.take(mostBytes + 1);
  expect(large).toHaveLength(mostBytes + 1);
  expect(memory.holds(large)).toBe(false);
  expect(memory.holds(kept)).toBe(true);
});

test("what a shorter body was unpacked into does not take its place", () => {
  const memory = new BodyMemory();
  memory.keep(new Uint8Array(100));
  memory.keep(new Uint8Array(60));
  expect(memory.bytes).toHaveLength(100);
});
