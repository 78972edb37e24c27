import { documentId } from "@adstream/contracts/documents";
import { copyBytes } from "@adstream/engine/copy-bytes";
import { StreamError } from "@adstream/engine/errors";
import type { TaskOutput } from "@adstream/engine/ports";
import { keyStartOf } from "@adstream/engine/results";
import { writeVarlong, writeVarlong48 } from "@adstream/kafka/varlong-bytes";
import { writeFrame } from "@adstream/kafka/wire-format";
import type { Job } from "./job.ts";
import { jobColumns } from "./job-columns.ts";

/** A result in memory that the next one is written to: the first bytes of `key` and `value`. A view of them costs more. */
export type WrittenResult = {
  readonly key: Uint8Array;
  keyBytes: number;
  readonly value: Uint8Array;
  valueBytes: number;
};

/**
 * Writes row `row` of a task's results as a record of the results topic; equal versions give equal bytes.
 * @throws {StreamError} VALUE_UNREADABLE when a number is none of its field's type
 */
export type ResultBytes = (output: TaskOutput, row: number) => Readonly<WrittenResult>;

type FigureColumn = { readonly name: string; readonly column: number; readonly whole: boolean };

/** Far more than a result takes, a key of 256 bytes included. */
const roomBytes = 64 * 1024;

/**
 * Composes what writes the results of a job straight from their columns, without an object per result: Confluent's frame,
 * then Avro by the schema that `resultSchema` makes of the job.
 */
export function resultBytes(job: Job, schemaId: number): ResultBytes {
  const { sums: sumNames, maxima: maximaNames } = jobColumns(job);
  const figures = (combine: "sum" | "max", columns: readonly string[]): FigureColumn[] =>
    job.result.figures
      .filter((figure) => figure.combine === combine)
      .map(({ name, type }) => ({ name, column: columns.indexOf(name), whole: type === "long" }));
  const sums = figures("sum", sumNames);
  const maxima = figures("max", maximaNames);
  const value = Buffer.allocUnsafe(roomBytes);
  const key = Buffer.allocUnsafe(roomBytes);
  const start = writeFrame(value, schemaId);
  const written: WrittenResult = { key, keyBytes: 0, value, valueBytes: 0 };
  let window = { start: Number.NaN, bytes: 0 };

  /** Results come window by window: the part of the document's id that names the window stays. */
  function writeWindow(windowStart: number): number {
    if (windowStart !== window.start) {
      window = { start: windowStart, bytes: key.write(documentId(windowStart, "")) };
    }
    return window.bytes;
  }

  function writeFigures(
    from: readonly FigureColumn[],
    columns: readonly Float64Array[],
    row: number,
    position: number,
  ): number {
    let at = position;
    for (const { name, column, whole } of from) {
      const figure = columns[column]?.[row] ?? 0;
      at = whole ? writeLong(value, at, figure, name) : value.writeDoubleLE(figure, at);
    }
    return at;
  }

  return ({ results, partition, jobEpoch }, row) => {
    const windowStart = results.windowStart[row] ?? 0;
    const { keyBytes } = results;
    const keyStart = keyStartOf(results, row);
    const keyEnd = results.keyEnd[row] ?? 0;
    written.keyBytes = copyBytes(keyBytes, keyStart, keyEnd, key, writeWindow(windowStart));
    let at = writeVarlong(value, start, keyEnd - keyStart);
    at = copyBytes(keyBytes, keyStart, keyEnd, value, at);
    at = writeLong(value, at, windowStart, "window_start");
    at = writeLong(value, at, results.windowEnd[row] ?? 0, "window_end");
    at = writeVarlong(value, at, partition);
    at = writeVarlong48(value, at, jobEpoch, results.version[row] ?? 0);
    at = writeVarlong(value, at, results.status[row] ?? 0);
    at = writeLong(value, at, results.records[row] ?? 0, "count");
    at = writeFigures(sums, results.sums, row, at);
    at = writeLong(value, at, results.maxEventTime[row] ?? 0, "max_event_time");
    at = writeLong(value, at, results.maxRecordTime[row] ?? -1, "max_record_time");
    written.valueBytes = writeFigures(maxima, results.maxima, row, at);
    return written;
  };
}

function writeLong(into: Uint8Array, position: number, value: number, field: string): number {
  if (Number.isSafeInteger(value)) return writeVarlong(into, position, value);
  const text = `${field} of a result is ${value}, which is no long`;
  throw new StreamError("VALUE_UNREADABLE", "dead-letter", text);
}
