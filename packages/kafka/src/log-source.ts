import { createColumns, type RecordColumns } from "@adstream/engine/columns";
import type { Clock, LogHandler, LogSource } from "@adstream/engine/ports";

import { type EventFormat, type EventProjection, valueColumns } from "./event-projection.ts";
import { openBatchSource, type BatchSource, type BatchSourceOptions } from "./batch-source.ts";
import { BodyMemory } from "./compression/body-memory.ts";
import { decodeColumns } from "./decode-columns.ts";
import { fuseFields } from "./fuse-fields.ts";
import { composeJsonReader } from "./json-columns.ts";
import { openBatch, type OpenBatch } from "./record-batch.ts";
import type { SchemaRegistryClient } from "./schema-registry.ts";
import type { EventReader } from "./value-rows.ts";
import { WriterSchemas } from "./writer-schemas.ts";

/**
 * One topic of events as columns.
 *
 * Delivery guarantee: that of `LogSource`; a batch whose checksum is wrong stops the source and is never skipped.
 * Back pressure: `pause`, or "later". A partition whose next records need a schema that the registry does not hand out
 * now is paused, and stays in the group.
 */
export type DecodedLogSource = AsyncDisposable &
  LogSource & {
    /**
     * Joins the group and reads until `signal` aborts; then `beforeRejoin` is called and the group is left. Called once.
     * @throws {StreamError} what ends the process: OFFSET_GAP, BATCH_CORRUPT, what the handler threw, NOT_AUTHORIZED
     */
    run(handler: LogHandler, signal: AbortSignal): Promise<void>;
    /** Next offset to be written to a partition of ours, as the last fetch said; undefined before the first one. */
    logEnd(partition: number): number | undefined;
    /** Whether nothing can come from a partition of ours now: handler, schema, or open transactions hold it up. */
    waiting(partition: number): boolean;
  };

export type LogSourceOptions = BatchSourceOptions & {
  readonly registry: SchemaRegistryClient;
  readonly projection: EventProjection;
  /** Without it Avro. */
  readonly format?: EventFormat;
  /** For the patience with schemas. */
  readonly clock: Clock;
};

/** @throws {StreamError} see `openBatchSource` */
export async function openLogSource(options: LogSourceOptions): Promise<DecodedLogSource> {
  return new DecodingLogSource(options, await openBatchSource({ ...options, reuseBuffers: true }));
}

class DecodingLogSource implements DecodedLogSource {
  readonly #batches: BatchSource;
  readonly #schemas: WriterSchemas;
  /** Reused for every batch of every partition: they come one after the other. */
  readonly #columns: RecordColumns;
  /** As the columns are. */
  readonly #bodies = new BodyMemory();
  /** undefined where events are Avro. */
  readonly #json: EventReader | undefined;
  /** Partitions that the handler paused; others may be paused for a schema. */
  readonly #pausedByHandler = new Set<number>();
  #handler: LogHandler | undefined;

  constructor(options: LogSourceOptions, batches: BatchSource) {
    this.#batches = batches;
    this.#columns = createColumns(valueColumns(options.projection));
    this.#json =
      options.format === "json"
        ? fuseFields([{ row: composeJsonReader(options.projection) }], false)
        : undefined;
    this.#schemas = new WriterSchemas(options, {
      unknown: (partition, schemaId) => this.#handler?.schemaUnknown(partition, schemaId),
      decided: (partition, schemaId) =>
        this.#handler?.unknownSchemas(partition).has(schemaId) === true,
      released: (partition) => this.#resumeIfWanted(partition),
    });
  }

  async run(handler: LogHandler, signal: AbortSignal): Promise<void> {
    this.#handler = handler;
    try {
      await this.#batches.run(
        {
          assigned: (partitions) => {
            this.#pausedByHandler.clear();
            this.#schemas.forgetWaiting();
            handler.assigned(partitions);
          },
          // The promise carries what it throws, too.
          batch: async (partition, bytes, header, fromOffset) =>
            this.#apply(handler, partition, openBatch(bytes, undefined, this.#bodies), fromOffset),
          atLogEnd: (partition, nextOffset) => handler.atLogEnd(partition, nextOffset),
          beforeRejoin: (budgetMs) => handler.beforeRejoin(budgetMs),
        },
        signal,
      );
    } finally {
      this.#schemas.stop();
    }
  }

  #apply(
    handler: LogHandler,
    partition: number,
    batch: OpenBatch,
    fromOffset: number,
  ): "done" | "later" {
    const decided = handler.unknownSchemas(partition);
    // A decision outranks a schema that came later: replays must dead-letter the same records.
    const json = this.#json;
    const missing =
      json === undefined
        ? decodeColumns(batch, fromOffset, this.#columns, (schemaId) =>
            decided.has(schemaId) ? "unknown schema id" : this.#schemas.lookup(schemaId),
          )
        : decodeColumns(batch, fromOffset, this.#columns, () => json, 0);
    if (missing !== undefined) {
      this.#batches.pause(partition);
      this.#schemas.waitFor(partition, missing);
      return "later";
    }
    const { baseOffset, lastOffsetDelta } = batch.header;
    const outcome = handler.apply(partition, this.#columns, baseOffset + lastOffsetDelta + 1);
    return outcome === "applied" ? "done" : "later";
  }

  describe(partition: number): ReturnType<LogSource["describe"]> {
    return this.#batches.describe(partition);
  }

  logEnd(partition: number): number | undefined {
    return this.#batches.logEnd(partition);
  }

  waiting(partition: number): boolean {
    return this.#batches.waiting(partition);
  }

  start(partition: number, offset: number): void {
    this.#pausedByHandler.delete(partition);
    this.#batches.start(partition, offset);
  }

  pause(partition: number): void {
    this.#pausedByHandler.add(partition);
    this.#batches.pause(partition);
  }

  resume(partition: number): void {
    this.#pausedByHandler.delete(partition);
    this.#resumeIfWanted(partition);
  }

  commit(positions: ReadonlyMap<number, number>): Promise<void> {
    return this.#batches.commit(positions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#schemas.stop();
    await this.#batches[Symbol.asyncDispose]();
  }

  #resumeIfWanted(partition: number): void {
    if (this.#pausedByHandler.has(partition) || this.#schemas.waits(partition)) return;
    this.#batches.resume(partition);
  }
}
