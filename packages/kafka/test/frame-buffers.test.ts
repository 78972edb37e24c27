import { FrameBuffers } from "@adstream/kafka/frame-buffers";
import { expect, test } from "vitest";

const mib = 2 ** 20;

test("what was released is handed out again, for frames of up to its size", () => {
  const buffers = new FrameBuffers();
  const first = buffers.take(mib);
  expect(buffers.take(mib)).not.toBe(first);
  buffers.release(first);
  const larger = buffers.take(first.byteLength + 1);
  expect(larger).not.toBe(first);
  expect(larger.byteLength).toBeGreaterThan(first.byteLength);
  expect(buffers.take(mib / 2)).toBe(first);
});

test("a buffer that is released twice is handed out once", () => {
  const buffers = new FrameBuffers();
  const buffer = buffers.take(mib);
  buffers.release(buffer);
  buffers.release(buffer);
  expect(buffers.take(mib)).toBe(buffer);
  expect(buffers.take(mib)).not.toBe(buffer);
});

test("memory of others is not handed out", () => {
  const buffers = new FrameBuffers();
  const foreign = new ArrayBuffer(mib);
  buffers.release(foreign);
  buffers.release(new SharedArrayBuffer(mib));
  expect(buffers.take(mib)).not.toBe(foreign);
});

test("small frames get memory of their own size, and a new one each", () => {
  const buffers = new FrameBuffers();
  const small = buffers.take(100);
  expect(small.byteLength).toBe(100);
  buffers.release(small);
  expect(buffers.take(100)).not.toBe(small);
});

test("no more than 64 MiB is kept", () => {
  const buffers = new FrameBuffers();
  const taken = Array.from({ length: 5 }, () => buffers.take(16 * mib));
  for (const buffer of taken) buffers.release(buffer);
  const again = Array.from({ length: 5 }, () => buffers.take(16 * mib));
  expect(again.filter((buffer) => taken.includes(buffer))).toHaveLength(4);
});
