/*
 * ListOffsets (2), versions 1-7; flexible from v6.
 * Request:  replica_id int32, isolation_level int8 (v2),
 *           [topic string, [partition int32, current_leader_epoch int32 (v4), timestamp int64]]
 * Response: throttle_ms int32 (v2),
 *           [topic string, [partition int32, error int16, timestamp int64, offset int64, leader_epoch int32 (v4)]]
 * timestamp -1: log end; -2: log start; -3 (v7): the record with the highest timestamp; else the first record not
 * older, -1 when there is none.
 */
import { endpoint, readPerTopic, targetsOf, writePerTopic } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import type { PartitionLog } from "./log.ts";
import { firstRecordSince, readHeader } from "./record-batch.ts";

const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;

type Found = { readonly timestampMs: number; readonly offset: number };
const NOTHING: Found = { timestampMs: -1, offset: -1 };

export const listOffsets: Endpoint = endpoint({
  key: 2,
  name: "ListOffsets",
  minVersion: 1,
  maxVersion: 7,
  flexibleFrom: 6,
  read(input, version) {
    input.int32();
    if (version >= 2) input.int8();
    const topics = readPerTopic(input, () => {
      const partition = input.int32();
      if (version >= 4) input.int32();
      const timestampMs = input.int64();
      input.tags();
      return { partition, timestampMs };
    });
    return { topics };
  },
  targets: ({ topics }) => targetsOf(topics),
  answer({ topics }, { out, version, broker, injected }) {
    if (version >= 2) out.int32(0);
    writePerTopic(out, topics, ({ partition, timestampMs }, topic) => {
      const log = broker.topics.partition(topic, partition)?.log;
      const error = injected(topic, partition) || (log ? 0 : ErrorCode.unknownTopicOrPartition);
      const found = error === 0 && log !== undefined ? find(log, timestampMs) : NOTHING;
      out.int32(partition).int16(error).int64(found.timestampMs).int64(found.offset);
      if (version >= 4) out.int32(found.offset < 0 ? -1 : 0);
      out.tags();
    });
    out.tags();
  },
});

function find(log: PartitionLog, timestampMs: number): Found {
  if (timestampMs === LATEST) return { timestampMs: -1, offset: log.highWatermark };
  if (timestampMs === EARLIEST) return { timestampMs: -1, offset: log.start };
  const newest = timestampMs === MAX_TIMESTAMP;
  const batch = newest ? log.newestBatch() : log.firstBatchSince(timestampMs);
  const header = batch === undefined ? undefined : readHeader(batch);
  if (batch === undefined || header === undefined) return NOTHING;
  const found = firstRecordSince(batch, header, newest ? header.maxTimestamp : timestampMs);
  return { ...found, offset: Math.max(found.offset, log.start) };
}
