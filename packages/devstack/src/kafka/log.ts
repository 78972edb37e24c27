import { placeBatch, readHeader } from "./record-batch.ts";
import type { BatchHeader } from "./record-batch.ts";
import {
  batchStart,
  createSegment,
  endWithin,
  findBatch,
  firstIndex,
  indexBatch,
  segmentEnd,
} from "./segment.ts";
import type { Segment } from "./segment.ts";

/** Where a partition keeps its segments on disk. Written before the append is acknowledged, not synced. */
export interface SegmentFiles {
  append(segmentBase: number, batch: Buffer): void;
  remove(segmentBase: number): void;
}

/** What was on disk: segments by base offset, each cut to whole, intact batches. */
export type StoredLog = { readonly start: number; readonly segments: readonly Buffer[] };

export type LogSettings = {
  /** Above it the oldest segments go and the log start moves: memory per partition stays within it. */
  readonly retentionBytes: number;
  readonly files?: SegmentFiles | undefined;
};

/** Batches of one read, in order; views of the log that never change. */
export type LogSlice = { readonly pieces: Buffer[]; readonly sizeBytes: number };

const FIRST_SEGMENT_BYTES = 64 * 1024;
const MAX_SEGMENT_BYTES = 4 * 1024 * 1024;
const SEGMENTS_PER_LOG = 8;
const LEADER_EPOCH = 0;

/**
 * One partition: record batches in offset order, each kept as the producer sent it but for base offset and leader
 * epoch. With one replica the high watermark is the log end.
 */
export class PartitionLog {
  readonly #settings: LogSettings;
  readonly #segments: Segment[] = [];
  readonly #listeners = new Set<(appendedBytes: number) => void>();
  #start: number;
  #sizeBytes = 0;

  constructor(settings: LogSettings, stored: StoredLog = { start: 0, segments: [] }) {
    this.#settings = settings;
    this.#start = stored.start;
    for (const bytes of stored.segments) this.#load(bytes);
    this.#start = Math.max(this.#start, this.#segments[0]?.baseOffset ?? 0);
  }

  /** First offset that can be read. */
  get start(): number {
    return this.#start;
  }

  /** Offset of the next record to be appended. */
  get highWatermark(): number {
    const last = this.#segments.at(-1);
    return Math.max(this.#start, last === undefined ? 0 : segmentEnd(last));
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Copies the checked batch to the end of the log. @returns its base offset */
  append(batch: Buffer, header: BatchHeader): number {
    const baseOffset = this.highWatermark;
    const segment = this.#segmentFor(batch.length, baseOffset);
    const place = segment.bytes.subarray(segment.sizeBytes, segment.sizeBytes + batch.length);
    batch.copy(place);
    placeBatch(place, baseOffset, LEADER_EPOCH);
    this.#settings.files?.append(segment.baseOffset, place);
    indexBatch(segment, header, baseOffset);
    this.#sizeBytes += batch.length;
    this.#retain();
    this.#changed(batch.length);
    return baseOffset;
  }

  /**
   * Whole batches from the one that holds `offset` on, as many as fit; `minBatches` 1 returns the first one whatever
   * its size (a consumer must always get on). The first batch may start before `offset`.
   */
  read(offset: number, maxBytes: number, minBatches: 0 | 1): LogSlice {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    for (let at = this.#findSegment(offset); at < this.#segments.length; at++) {
      const segment = this.#segments[at];
      if (segment === undefined) break;
      const first = findBatch(segment, offset);
      const from = batchStart(segment, first);
      let to = endWithin(segment, first, maxBytes - sizeBytes);
      if (to === from && sizeBytes === 0 && minBatches === 1) to = batchStart(segment, first + 1);
      if (to > from) pieces.push(segment.bytes.subarray(from, to));
      sizeBytes += to - from;
      if (to < segment.sizeBytes) break;
    }
    return { pieces, sizeBytes };
  }

  /** Moves the log start; segments that lie before it are dropped. The caller has checked the bounds. */
  deleteBefore(offset: number): void {
    this.#start = Math.max(this.#start, offset);
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || segmentEnd(oldest) > this.#start) break;
      this.#dropOldest(oldest);
    }
    this.#changed(0);
  }

  /** The first batch at or behind the log start that has a record not older than `timestampMs`. */
  firstBatchSince(timestampMs: number): Buffer | undefined {
    for (const segment of this.#segments) {
      const index = segment.maxTimestamps.findIndex(
        (max, at) => max >= timestampMs && (segment.nextOffsets[at] ?? 0) > this.#start,
      );
      if (index >= 0) return batchAt(segment, index);
    }
    return undefined;
  }

  /** The first batch with the highest timestamp of the log. */
  newestBatch(): Buffer | undefined {
    let maxTimestampMs = -Infinity;
    for (const segment of this.#segments) {
      for (const max of segment.maxTimestamps) maxTimestampMs = Math.max(maxTimestampMs, max);
    }
    return this.firstBatchSince(maxTimestampMs);
  }

  /** All batches, oldest first. */
  *batches(): Generator<Buffer> {
    for (const segment of this.#segments) {
      for (let index = 0; index < segment.starts.length; index++) yield batchAt(segment, index);
    }
  }

  /** Calls `listener` with the bytes of every append, and with 0 when the log start moved or the log ended. */
  listen(listener: (appendedBytes: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Wakes whoever waits for this partition: it was deleted. */
  end(): void {
    this.#changed(0);
  }

  #changed(appendedBytes: number): void {
    for (const listener of this.#listeners) listener(appendedBytes);
  }

  #findSegment(offset: number): number {
    return firstIndex(this.#segments.length, (index) => {
      const segment = this.#segments[index];
      return segment !== undefined && segmentEnd(segment) > offset;
    });
  }

  #segmentFor(batchBytes: number, baseOffset: number): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.sizeBytes + batchBytes <= last.bytes.length) return last;
    const share = this.#settings.retentionBytes / SEGMENTS_PER_LOG;
    const wantedBytes = Math.min(
      MAX_SEGMENT_BYTES,
      share,
      Math.max(FIRST_SEGMENT_BYTES, this.#sizeBytes),
    );
    const capacity = Math.max(batchBytes, Math.floor(wantedBytes));
    const segment = createSegment(baseOffset, Buffer.allocUnsafeSlow(capacity));
    this.#segments.push(segment);
    return segment;
  }

  #retain(): void {
    while (this.#sizeBytes > this.#settings.retentionBytes && this.#segments.length > 1) {
      const oldest = this.#segments[0];
      if (oldest === undefined) return;
      this.#start = Math.max(this.#start, segmentEnd(oldest));
      this.#dropOldest(oldest);
    }
  }

  #dropOldest(oldest: Segment): void {
    this.#segments.shift();
    this.#sizeBytes -= oldest.sizeBytes;
    this.#settings.files?.remove(oldest.baseOffset);
  }

  #load(bytes: Buffer): void {
    const first = readHeader(bytes);
    if (first === undefined) return;
    const segment = createSegment(first.baseOffset, bytes);
    for (let header = readHeader(bytes); header; header = readHeader(bytes, segment.sizeBytes)) {
      indexBatch(segment, header, header.baseOffset);
    }
    this.#segments.push(segment);
    this.#sizeBytes += segment.sizeBytes;
  }
}

function batchAt(segment: Segment, index: number): Buffer {
  return segment.bytes.subarray(batchStart(segment, index), batchStart(segment, index + 1));
}
