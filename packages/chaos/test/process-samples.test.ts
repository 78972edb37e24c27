import { expect, test } from "vitest";
import { bucketQuantile, procSample, readMetrics } from "../src/process-samples.ts";

test("figures of a service are read from its metrics", () => {
  const text = [
    "# TYPE adstream_process_memory_bytes gauge",
    'adstream_process_memory_bytes{kind="heap"} 20971520',
    'adstream_event_loop_delay_seconds{quantile="0.99"} 0.012',
    'adstream_checkpoint_seconds_bucket{le="0.01"} 90',
    'adstream_checkpoint_seconds_bucket{le="0.1"} 99',
    'adstream_checkpoint_seconds_bucket{le="+Inf"} 100',
  ].join("\n");
  const { heapMiB, eventLoopP99Ms, checkpoints } = readMetrics(text);
  expect({ heapMiB, eventLoopP99Ms }).toEqual({ heapMiB: 20, eventLoopP99Ms: 12 });
  expect(bucketQuantile(checkpoints, 0.5)).toBe(10);
  expect(bucketQuantile(checkpoints, 0.99)).toBe(100);
  expect(bucketQuantile(checkpoints, 1)).toBe(Number.POSITIVE_INFINITY);
  expect(bucketQuantile(new Map(), 0.99)).toBeUndefined();
});

test.runIf(process.platform === "linux")("this process has memory and descriptors", () => {
  const sample = procSample(process.pid);
  expect(sample?.rssMiB).toBeGreaterThan(10);
  expect(sample?.fds).toBeGreaterThan(2);
  expect(procSample(9_999_999)).toBeUndefined();
});
