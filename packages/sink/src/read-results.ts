import { adStatsShape } from "@adstream/contracts/ad-stats";
import type { Result } from "@adstream/contracts/result-shape";
import { rejectReasons } from "@adstream/engine/columns";
import { openBatch, readRecords } from "@adstream/kafka/record-batch";
import { frameBytes, frameSchemaId } from "@adstream/kafka/wire-format";

import type { ReadResults } from "./consume-results.ts";
import type { ReadBatch, RefusedRecord, SourceRecord } from "./intake-queue.ts";
import { decodedRows } from "./result-rows.ts";
import { type ResultWriter, ResultWriters, type WritersOptions } from "./result-writers.ts";
import { scanBatch } from "./scan-batch.ts";

/**
 * Reads the records of a batch as results, each by its own writer's schema; what is none is refused. While the registry
 * does not answer, or does not know a schema yet, the read fails for retry: an outage is no reason to refuse a result.
 *
 * Batches as our own processors write them are only looked through, and each result is made once it is taken.
 */
export function createResultReader(options: WritersOptions): ReadResults {
  const { shape = adStatsShape } = options;
  const writers = new ResultWriters(options);

  /** At once where the schema is known. */
  function read(value: Uint8Array | null): Result | string | Promise<Result | string> {
    if (value === null) return "null value";
    const schemaId = frameSchemaId(value, 0, value.length);
    if (schemaId < 0) return rejectReasons[-schemaId] ?? "short frame";
    const writer = writers.get(schemaId);
    if (writer !== undefined) return readBy(writer, value);
    return writers.fetch(schemaId).then((fetched) => readBy(fetched, value));
  }

  async function readEach(
    partition: number,
    bytes: Uint8Array,
    fromOffset: number,
  ): Promise<ReadBatch> {
    const results: Result[] = [];
    const records: SourceRecord[] = [];
    const refused: RefusedRecord[] = [];
    for (const { offset, timestamp, key, value } of readRecords(bytes)) {
      if (offset < fromOffset) continue;
      const reading = read(value);
      // Waiting for what is there already would take as long as checking the record does.
      const result = reading instanceof Promise ? await reading : reading;
      const record = { partition, offset, timestamp, key, value };
      if (typeof result === "string") refused.push({ ...record, reason: result });
      else {
        results.push(result);
        records.push(record);
      }
    }
    return { rows: decodedRows(results, records, shape.key), refused };
  }

  return async (partition, bytes, fromOffset) => {
    const rows = scanBatch(partition, openBatch(bytes), fromOffset, (id) => writers.get(id));
    return rows === undefined ? readEach(partition, bytes, fromOffset) : { rows, refused: [] };
  };
}

/** @param writer or why there is none */
function readBy(writer: ResultWriter | string, value: Uint8Array): Result | string {
  return typeof writer === "string" ? writer : writer.read(value.subarray(frameBytes));
}
