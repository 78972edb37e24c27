/*
 * Fetch (1), versions 4-11.
 * Request:  replica_id int32, max_wait_ms int32, min_bytes int32, max_bytes int32, isolation_level int8,
 *           session_id int32 (v7), session_epoch int32 (v7),
 *           [topic string, [partition int32, current_leader_epoch int32 (v9), fetch_offset int64,
 *           log_start_offset int64 (v5), partition_max_bytes int32]],
 *           [forgotten topic string, [partition int32]] (v7), rack_id string (v11)
 * Response: throttle_ms int32, error int16 (v7), session_id int32 (v7),
 *           [topic string, [partition int32, error int16, high_watermark int64, last_stable_offset int64,
 *           log_start_offset int64 (v5), [aborted] null, preferred_read_replica int32 (v11), records bytes]]
 * Long poll: answered when min_bytes are there, something is wrong, or max_wait_ms have passed. Sessions (KIP-227)
 * are never granted: session id 0 makes clients name all partitions every time.
 */
import { endpoint, readPerTopic, targetsOf, writePerTopic } from "./api.ts";
import type { Call, Endpoint, PerTopic } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import type { LogSlice, PartitionLog } from "./log.ts";

type Item = {
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly offset: number;
  readonly maxBytes: number;
};
type Request = {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly sessionId: number;
  readonly topics: readonly PerTopic<Item>[];
};
type Part = Item & LogSlice & { readonly error: number; readonly log: PartitionLog | undefined };
type Reading = {
  readonly topics: PerTopic<Part>[];
  readonly sizeBytes: number;
  readonly failed: boolean;
};

const NOTHING: LogSlice = { pieces: [], sizeBytes: 0 };

export const fetch: Endpoint = endpoint<Request>({
  key: 1,
  name: "Fetch",
  minVersion: 4,
  maxVersion: 11,
  read(input, version) {
    input.int32();
    const maxWaitMs = input.int32();
    const minBytes = input.int32();
    const maxBytes = input.int32();
    input.int8();
    const sessionId = version >= 7 ? input.int32() : 0;
    if (version >= 7) input.int32();
    const topics = readPerTopic(input, () => {
      const partition = input.int32();
      const leaderEpoch = version >= 9 ? input.int32() : -1;
      const offset = input.int64();
      if (version >= 5) input.int64();
      return { partition, leaderEpoch, offset, maxBytes: input.int32() };
    });
    return { maxWaitMs, minBytes, maxBytes, sessionId, topics };
  },
  targets: ({ topics }) => targetsOf(topics),
  async answer(request, call) {
    if (request.sessionId !== 0) {
      return writeReading(ErrorCode.fetchSessionIdNotFound, [], call);
    }
    let reading = readLogs(request, call);
    const missingBytes = request.minBytes - reading.sizeBytes;
    if (missingBytes > 0 && !reading.failed && request.maxWaitMs > 0) {
      await appended(reading, missingBytes, request.maxWaitMs, call);
      reading = readLogs(request, call);
    }
    writeReading(0, reading.topics, call);
  },
});

function readLogs(request: Request, call: Call): Reading {
  let sizeBytes = 0;
  let failed = false;
  const topics = request.topics.map(({ topic, items }) => ({
    topic,
    items: items.map((item): Part => {
      const log = call.broker.topics.partition(topic, item.partition)?.log;
      const error = call.injected(topic, item.partition) || problem(item, log);
      if (error !== 0 || log === undefined) {
        failed = true;
        return { ...item, ...NOTHING, error, log };
      }
      const leftBytes = Math.min(item.maxBytes, request.maxBytes - sizeBytes);
      const slice = log.read(item.offset, Math.max(0, leftBytes), sizeBytes === 0 ? 1 : 0);
      sizeBytes += slice.sizeBytes;
      return { ...item, ...slice, error, log };
    }),
  }));
  return { topics, sizeBytes, failed };
}

function problem(item: Item, log: PartitionLog | undefined): number {
  if (log === undefined) return ErrorCode.unknownTopicOrPartition;
  if (item.leaderEpoch > 0) return ErrorCode.unknownLeaderEpoch;
  const outside = item.offset < log.start || item.offset > log.highWatermark;
  return outside ? ErrorCode.offsetOutOfRange : 0;
}

/** Resolves when so many bytes were appended, a log start moved, the time is up or the client is gone. */
function appended(
  reading: Reading,
  missingBytes: number,
  maxWaitMs: number,
  { broker, signal }: Call,
): Promise<void> {
  return new Promise((resolve) => {
    let leftBytes = missingBytes;
    const stops: (() => void)[] = [];
    const end = (): void => {
      for (const stop of stops) stop();
      resolve();
    };
    const listener = (bytes: number): void => {
      leftBytes -= bytes;
      if (bytes === 0 || leftBytes <= 0) end();
    };
    const logs = reading.topics.flatMap(({ items }) => items.map(({ log }) => log));
    for (const log of logs) if (log !== undefined) stops.push(log.listen(listener));
    stops.push(broker.clock.after(maxWaitMs, end));
    signal.addEventListener("abort", end, { once: true });
    stops.push(() => signal.removeEventListener("abort", end));
    if (signal.aborted) end();
  });
}

function writeReading(error: number, topics: readonly PerTopic<Part>[], call: Call): void {
  const { out, version } = call;
  out.int32(0);
  if (version >= 7) out.int16(error).int32(0);
  writePerTopic(out, topics, ({ partition, error, log, pieces, sizeBytes }) => {
    const highWatermark = log?.highWatermark ?? -1;
    out.int32(partition).int16(error).int64(highWatermark).int64(highWatermark);
    if (version >= 5) out.int64(log?.start ?? -1);
    out.nullArray();
    if (version >= 11) out.int32(-1);
    out.records(pieces, sizeBytes);
  });
}
