import type { ResultStatus } from "@adstream/engine/results";
import type { EventProjection } from "@adstream/kafka/event-projection";

/** One result row, with names instead of columns. */
export type ResultRow = {
  readonly key: string;
  /** Epoch ms, like every time here. */
  readonly windowStart: number;
  readonly windowEnd: number;
  /** Source partition. */
  readonly slot: number;
  readonly version: bigint;
  readonly status: ResultStatus;
  readonly records: number;
  /** In the order of the job's numbers. */
  readonly sums: readonly number[];
  readonly maxEventTime: number;
  readonly maxRecordTime: number;
};

/** What a look back needs to know of a result: where it belongs, and its version. */
export type PublishedResult = Pick<
  ResultRow,
  "key" | "windowStart" | "windowEnd" | "slot" | "version"
>;

/**
 * A job as data: which fields of an event it groups and sums, and what a result looks like on the wire. Everything else
 * (windows, lateness, recovery) is the engine's and the environment's.
 */
export type Job = {
  readonly name: string;
  /** Key, event time and the numbers that are summed, with the range a sound event has. */
  readonly event: EventProjection;
  /** Field that names one delivery of an event; read with DEDUPLICATE=event_id only. */
  readonly eventId: string;
  /** Avro schema of a result. */
  readonly resultSchema: string;
  /** Key of a result on the results topic; results of one document share it. */
  readonly resultKey: (row: ResultRow) => string;
  /** The value that `resultSchema` encodes. */
  readonly result: (row: ResultRow) => object;
  /** Reads what `resultSchema` encoded. @throws {StreamError} VALUE_UNREADABLE */
  readonly published: (payload: Uint8Array) => PublishedResult | undefined;
};
