import type { Result } from "@adstream/contracts/result-shape";
import { createColumns, type RecordColumns, reserveColumns } from "@adstream/engine/columns";
import { StreamError } from "@adstream/engine/errors";
import { createCursor } from "@adstream/kafka/byte-cursor";
import { readFrames } from "@adstream/kafka/frame-columns";
import type { OpenBatch } from "@adstream/kafka/record-batch";
import { frameBytes, frameSchemaId } from "@adstream/kafka/wire-format";

import type { SourceRecord } from "./intake-queue.ts";
import { copiedRows, type ResultRows, rowNames } from "./result-rows.ts";
import { createScanned } from "./result-scan.ts";
import type { ResultWriter } from "./result-writers.ts";

/** Used again for each batch: what lasts is copied. */
const frames = createColumns(0);
const scanned = createScanned();

/**
 * The rows of a batch whose records at or after `fromOffset` are all sound results of one writer, without making any.
 *
 * @returns undefined for any other batch, of which each record has to be looked at
 * @throws {StreamError} BATCH_CORRUPT
 */
export function scanBatch(
  partition: number,
  batch: OpenBatch,
  fromOffset: number,
  writerOf: (schemaId: number) => ResultWriter | string | undefined,
): ResultRows | undefined {
  const { header, body } = batch;
  reserveColumns(frames, header.recordCount);
  const count = readFrames(body, header, fromOffset, frames);
  const { recordValueStart, recordValueLength } = frames;
  const schemaId = count === 0 ? -1 : schemaOf(body, frames, 0);
  const writer = schemaId < 0 ? undefined : writerOf(schemaId);
  if (typeof writer !== "object" || writer.scan === undefined) return undefined;
  const { scan, read } = writer;
  const readValue = valueReader(read);
  const text = Buffer.from(body.buffer, body.byteOffset, body.length);
  const cursor = createCursor(body);
  const name = rowNames();
  const names: string[] = [];
  const epochs = new Int32Array(count);
  const steps = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    if (schemaOf(body, frames, row) !== schemaId) return undefined;
    cursor.position = (recordValueStart[row] ?? 0) + frameBytes;
    cursor.end = (recordValueStart[row] ?? 0) + (recordValueLength[row] ?? 0);
    if (!scan(cursor, scanned)) return undefined;
    const { windowStart, slot, epoch, step, keyStart, keyEnd } = scanned;
    names.push(name(windowStart, slot, text.toString("latin1", keyStart, keyEnd)));
    epochs[row] = epoch;
    steps[row] = step;
  }
  const starts = recordValueStart.slice(0, count);
  const lengths = recordValueLength.slice(0, count);
  return {
    count,
    names,
    epochs,
    steps,
    buffer: body.buffer,
    result(row) {
      const start = starts[row] ?? 0;
      return sound(read(body.subarray(start + frameBytes, start + (lengths[row] ?? 0))));
    },
    records: (rows) => recordsAt(partition, batch, fromOffset, rows),
    copied(rows) {
      return copiedRows(this, rows, readValue);
    },
  };
}

function valueReader(read: ResultWriter["read"]): (record: SourceRecord) => Result {
  return ({ value }) => sound(read(value?.subarray(frameBytes) ?? none));
}

const none = new Uint8Array(0);

/** @throws {StreamError} INTERNAL where scan and parser do not agree */
function sound(result: Result | string): Result {
  if (typeof result !== "string") return result;
  throw new StreamError("INTERNAL", "stop", `a result that was found sound is none: ${result}`);
}

function schemaOf(body: Uint8Array, columns: RecordColumns, row: number): number {
  const { recordValueStart, recordValueLength } = columns;
  const length = recordValueLength[row] ?? -1;
  return length < 0 ? -1 : frameSchemaId(body, recordValueStart[row] ?? 0, length);
}

/** Reads the batch once more. */
function recordsAt(
  partition: number,
  { header, body }: OpenBatch,
  fromOffset: number,
  rows: readonly number[],
): SourceRecord[] {
  reserveColumns(frames, header.recordCount);
  readFrames(body, header, fromOffset, frames);
  const { offset, recordTime, recordKeyStart, recordKeyLength } = frames;
  const { recordValueStart, recordValueLength } = frames;
  const part = (start = 0, length = -1): Uint8Array | null =>
    length < 0 ? null : body.subarray(start, start + length);
  return rows.map((row) => ({
    partition,
    offset: offset[row] ?? -1,
    timestamp: recordTime[row] ?? -1,
    key: part(recordKeyStart[row], recordKeyLength[row]),
    value: part(recordValueStart[row], recordValueLength[row]),
  }));
}
