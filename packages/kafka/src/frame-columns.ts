import type { RecordColumns } from "@adstream/engine/columns";

import { createCursor } from "./byte-cursor.ts";
import type { BatchHeader } from "./record-batch.ts";
import { createFrame, expectBodyEnd, readRecordFrame, recordTime } from "./record-frame.ts";

/** What varints of two bytes hold is less, before the sign is split off. */
const shortLimit = 1 << 14;

/**
 * Fills the columns of offset, time, key and value with the records at or after `fromOffset`.
 *
 * Records of the usual form (no varint of more than two bytes) are read right here, with nothing but local names, in a
 * third of the time; the others by `readRecordFrame`, which knows all forms and says what is wrong.
 *
 * @returns how many there are
 * @throws {StreamError} BATCH_CORRUPT
 */
export function readFrames(
  body: Uint8Array,
  header: BatchHeader,
  fromOffset: number,
  columns: RecordColumns,
): number {
  const { baseOffset, recordCount, lastOffsetDelta } = header;
  const { offset, recordTime: time } = columns;
  const { recordKeyStart, recordKeyLength, recordValueStart, recordValueLength } = columns;
  const cursor = createCursor(body);
  const frame = createFrame();
  const timeOfBatch = recordTime(header, 0);
  const timeScale = header.timestampType === "LogAppendTime" ? 0 : 1;
  let offsetDelta = frame.offsetDelta;
  let start = 0;
  let row = 0;
  for (let index = 0; index < recordCount; index++) {
    // Nothing is called in here: V8 would look again at what it knows of each array after every call.
    for (; index < recordCount; index++) {
      const size = shortVarint(body, start);
      const timeAt = start + shortBytes(body, start) + 1; // after the attributes
      const end = timeAt - 1 + (size >>> 1);
      const timeDelta = shortVarint(body, timeAt);
      const deltaAt = timeAt + shortBytes(body, timeAt);
      const delta = shortVarint(body, deltaAt);
      const keyAt = deltaAt + shortBytes(body, deltaAt);
      const keySize = shortVarint(body, keyAt);
      const keyStart = keyAt + shortBytes(body, keyAt);
      // Of -1, which means null, half is 0.
      const valueAt = keyStart + (keySize >>> 1);
      const valueSize = shortVarint(body, valueAt);
      const valueStart = valueAt + shortBytes(body, valueAt);
      const usual =
        (size | timeDelta | delta | keySize | valueSize) < shortLimit &&
        ((size | delta | valueSize) & 1) === 0 &&
        ((keySize & 1) === 0 || keySize === 1) &&
        valueStart + (valueSize >>> 1) < end &&
        end <= body.length &&
        delta >>> 1 > offsetDelta &&
        delta >>> 1 <= lastOffsetDelta;
      if (!usual) break;
      offsetDelta = delta >>> 1;
      start = end;
      if (baseOffset + offsetDelta < fromOffset) continue;
      time[row] = timeOfBatch + timeScale * ((timeDelta >>> 1) ^ -(timeDelta & 1));
      recordKeyStart[row] = keyStart;
      recordKeyLength[row] = (keySize >>> 1) - (keySize & 1);
      recordValueStart[row] = valueStart;
      recordValueLength[row] = valueSize >>> 1;
      offset[row++] = baseOffset + offsetDelta;
    }
    if (index === recordCount) break;
    frame.offsetDelta = offsetDelta;
    cursor.position = start;
    readRecordFrame(cursor, frame, header);
    offsetDelta = frame.offsetDelta;
    start = frame.end;
    if (baseOffset + offsetDelta < fromOffset) continue;
    time[row] = recordTime(header, frame.timestampDelta);
    recordKeyStart[row] = frame.keyStart;
    recordKeyLength[row] = frame.keyLength;
    recordValueStart[row] = frame.valueStart;
    recordValueLength[row] = frame.valueLength;
    offset[row++] = baseOffset + offsetDelta;
  }
  cursor.position = start;
  expectBodyEnd(cursor, header);
  return row;
}

/** The varint at `at`, its sign not yet split off; one of more than two bytes comes out at `shortLimit` or above. */
function shortVarint(bytes: Uint8Array, at: number): number {
  const byte = bytes[at] ?? 0;
  return byte > 0x7f ? (byte & 0x7f) | ((bytes[at + 1] ?? 0) << 7) : byte;
}

function shortBytes(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) > 0x7f ? 2 : 1;
}
