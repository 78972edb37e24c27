import { createCursor, readVarint, readVarlong } from "./byte-cursor.ts";
import { openBatch, type BatchHeader } from "./record-batch.ts";

/** A transaction of the fetched range that was aborted, as the broker lists it. */
export type AbortedTransaction = { readonly producerId: string; readonly firstOffset: string };

/**
 * Tells which batches of one fetch hold no committed data. Asked about every batch of the fetch, in order.
 *
 * The broker sends aborted data along with a list of (producer, first offset); a producer's data is aborted from there
 * to its next abort marker (KIP-98, as the Java consumer reads it).
 */
export function uncommittedBatches(
  aborted: readonly AbortedTransaction[],
): (header: BatchHeader, bytes: Uint8Array) => boolean {
  const upcoming = aborted
    .map(({ producerId, firstOffset }) => ({
      producerId: Number(producerId),
      firstOffset: Number(firstOffset),
    }))
    .toSorted((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<number>();
  return (header, bytes) => {
    const lastOffset = header.baseOffset + header.lastOffsetDelta;
    while (upcoming[0] !== undefined && upcoming[0].firstOffset <= lastOffset) {
      aborting.add(upcoming[0].producerId);
      upcoming.shift();
    }
    if (header.control) {
      if (endsAbortedTransaction(bytes)) aborting.delete(header.producerId);
      return true;
    }
    if (!header.transactional || !aborting.has(header.producerId)) return false;
    openBatch(bytes); // Data that is dropped must be what was written, too: the checksum covers the flags read above.
    return true;
  };
}

/**
 * Reads the key of a control record, `version int16 | type int16`: type 0 aborts, 1 commits.
 * @throws {StreamError} BATCH_CORRUPT
 */
function endsAbortedTransaction(bytes: Uint8Array): boolean {
  const { header, body } = openBatch(bytes);
  if (header.recordCount === 0) return false;
  const cursor = createCursor(body);
  readVarint(cursor); // record length
  cursor.position++; // attributes
  readVarlong(cursor); // timestamp delta
  readVarint(cursor); // offset delta
  readVarint(cursor); // key length
  const type = cursor.position + 2;
  return body[type] === 0 && body[type + 1] === 0;
}
