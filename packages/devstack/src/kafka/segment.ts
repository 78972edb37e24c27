import type { BatchHeader } from "./record-batch.ts";

/**
 * A stretch of the log: batches one behind the other in one buffer, so that a fetch of any number of them is one
 * slice. Bytes behind `sizeBytes` are free; those before it never change.
 */
export type Segment = {
  readonly baseOffset: number;
  readonly bytes: Buffer;
  sizeBytes: number;
  /** Per batch: where it starts, the offset behind its last record, its highest timestamp. */
  readonly starts: number[];
  readonly nextOffsets: number[];
  readonly maxTimestamps: number[];
};

/** An empty segment that starts at `baseOffset`. The buffer is not pooled: a dropped segment is freed whole. */
export function createSegment(baseOffset: number, bytes: Buffer): Segment {
  return { baseOffset, bytes, sizeBytes: 0, starts: [], nextOffsets: [], maxTimestamps: [] };
}

/** Takes in the batch whose bytes lie at the segment's end. */
export function indexBatch(segment: Segment, header: BatchHeader, baseOffset: number): void {
  segment.starts.push(segment.sizeBytes);
  segment.nextOffsets.push(baseOffset + header.lastOffsetDelta + 1);
  segment.maxTimestamps.push(header.maxTimestamp);
  segment.sizeBytes += header.sizeBytes;
}

/** The offset behind the segment's last record. */
export function segmentEnd(segment: Segment): number {
  return segment.nextOffsets.at(-1) ?? segment.baseOffset;
}

/** Index of the batch that holds `offset`; the number of batches when it lies behind all of them. */
export function findBatch(segment: Segment, offset: number): number {
  return firstIndex(
    segment.nextOffsets.length,
    (index) => (segment.nextOffsets[index] ?? 0) > offset,
  );
}

/** Where batch `index` starts; for the index behind the last one the end of the segment. */
export function batchStart(segment: Segment, index: number): number {
  return segment.starts[index] ?? segment.sizeBytes;
}

/**
 * End of the last batch, from batch `index` on, that fits into `maxBytes`; the start of batch `index` when none does.
 */
export function endWithin(segment: Segment, index: number, maxBytes: number): number {
  const limit = batchStart(segment, index) + maxBytes;
  if (segment.sizeBytes <= limit) return segment.sizeBytes;
  const beyond = firstIndex(segment.starts.length, (at) => batchStart(segment, at) > limit);
  return batchStart(segment, Math.max(index, beyond - 1));
}

/** The smallest index for which `holds` (false before it, true from it on); `count` when there is none. */
export function firstIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
