import type { RejectReason } from "@adstream/engine/columns";
import { StreamError } from "@adstream/engine/errors";
import { unknownSchemaPatienceMs } from "@adstream/engine/run-options";
import type { Clock } from "@adstream/engine/ports";

import { composeReader } from "./avro-columns.ts";
import { toStreamError } from "./error-map.ts";
import type { EventProjection } from "./event-projection.ts";
import type { Log } from "./kafkajs-log.ts";
import { leastRecent } from "./least-recent.ts";
import type { RegisteredSchema, SchemaRegistryClient } from "./schema-registry.ts";
import type { EventReader } from "./value-rows.ts";

/** What the partitions that wait for a schema need done. */
export type SchemaWaiter = {
  /** The registry has answered "unknown" for the whole patience. Called once per wait. */
  unknown(partition: number, schemaId: number): void;
  /** Whether the partition goes on without the schema. */
  decided(partition: number, schemaId: number): boolean;
  /** Its next records can be read now, as far as this is concerned. */
  released(partition: number): void;
};

export type WriterSchemasOptions = {
  readonly registry: SchemaRegistryClient;
  readonly projection: EventProjection;
  readonly clock: Clock;
  readonly log: Log;
};

const keptReaders = 1_000;
const unknownPollMs = 250;
const outageFromMs = 1_000;
const outageToMs = 30_000;

/**
 * Readers of the schemas that writers used, loaded when a batch first needs them. An outage of the registry keeps
 * partitions waiting and decides nothing; an unreadable schema is a reason to reject its records, for ever.
 */
export class WriterSchemas {
  readonly #options: WriterSchemasOptions;
  readonly #readers = leastRecent<number, EventReader | RejectReason>(keptReaders);
  /** What no waiting mends: thrown to whoever looks the schema up. */
  readonly #failures = new Map<number, StreamError>();
  /** Partitions that wait, by schema id; the set identifies one wait. */
  readonly #waiting = new Map<number, Set<number>>();
  readonly #waiter: SchemaWaiter;
  readonly #stopped = new AbortController();

  constructor(options: WriterSchemasOptions, waiter: SchemaWaiter) {
    this.#options = options;
    this.#waiter = waiter;
  }

  /**
   * @returns undefined when it has to be loaded: see `waitFor`
   * @throws {StreamError} NOT_AUTHORIZED, or whatever else ended its loading
   */
  lookup(schemaId: number): EventReader | RejectReason | undefined {
    const failure = this.#failures.get(schemaId);
    if (failure !== undefined) throw failure;
    return this.#readers.get(schemaId);
  }

  /** Loads the schema for a partition that has been paused; `released` comes when it may go on. */
  waitFor(partition: number, schemaId: number): void {
    const waiting = this.#waiting.get(schemaId);
    if (waiting !== undefined) {
      waiting.add(partition);
      return;
    }
    const partitions = new Set([partition]);
    this.#waiting.set(schemaId, partitions);
    this.#load(schemaId, partitions).catch((error: unknown) => {
      this.#failures.set(schemaId, toStreamError(error, `loading schema ${schemaId}`));
      this.#release(schemaId, partitions);
    });
  }

  waits(partition: number): boolean {
    return [...this.#waiting.values()].some((partitions) => partitions.has(partition));
  }

  /** After this nothing that waited before is released. */
  forgetWaiting(): void {
    this.#waiting.clear();
  }

  stop(): void {
    this.#stopped.abort();
    this.forgetWaiting();
  }

  async #load(schemaId: number, partitions: Set<number>): Promise<void> {
    const { clock } = this.#options;
    const told = new Set<number>();
    let unknownSinceMs: number | undefined;
    for (let outages = 0; ;) {
      const answer = await this.#ask(schemaId, outages);
      if (this.#waiting.get(schemaId) !== partitions) return;
      if (answer?.kind === "schema") {
        this.#readers.set(schemaId, this.#compose(schemaId, answer.text));
        this.#release(schemaId, partitions);
        return;
      }
      const nowMs = clock.nowMs();
      unknownSinceMs = answer === undefined ? undefined : (unknownSinceMs ?? nowMs);
      if (nowMs - (unknownSinceMs ?? nowMs) >= unknownSchemaPatienceMs) {
        this.#tell(schemaId, partitions, told);
      }
      outages = answer === undefined ? outages + 1 : 0;
      await clock.sleep(
        answer === undefined ? outageDelayMs(outages - 1) : unknownPollMs,
        this.#stopped.signal,
      );
      this.#releaseDecided(schemaId, partitions);
      if (this.#waiting.get(schemaId) !== partitions) return;
    }
  }

  /** @returns undefined while the registry cannot be asked */
  async #ask(schemaId: number, outages: number): Promise<RegisteredSchema | undefined> {
    const { registry, log } = this.#options;
    try {
      return await registry.fetchSchema(schemaId);
    } catch (error) {
      if (!(error instanceof StreamError) || error.disposition !== "retry") throw error;
      const fields = { schemaId, reason: error.message, delayMs: outageDelayMs(outages) };
      log.warn(fields, "schema not readable from the registry, retrying (SCHEMA_REGISTRY_URL)");
      return undefined;
    }
  }

  #compose(schemaId: number, text: string): EventReader | RejectReason {
    try {
      return composeReader(text, this.#options.projection);
    } catch (error) {
      if (!(error instanceof StreamError) || error.code !== "SCHEMA_UNREADABLE") throw error;
      const fields = { schemaId, reason: error.message };
      this.#options.log.warn(fields, "schema not readable, its records are dead letters");
      return "unreadable schema";
    }
  }

  #tell(schemaId: number, partitions: ReadonlySet<number>, told: Set<number>): void {
    for (const partition of partitions) {
      if (told.has(partition)) continue;
      told.add(partition);
      this.#waiter.unknown(partition, schemaId);
    }
  }

  #releaseDecided(schemaId: number, partitions: Set<number>): void {
    if (this.#waiting.get(schemaId) !== partitions) return;
    for (const partition of partitions) {
      if (!this.#waiter.decided(partition, schemaId)) continue;
      partitions.delete(partition);
      this.#waiter.released(partition);
    }
    if (partitions.size === 0) this.#waiting.delete(schemaId);
  }

  #release(schemaId: number, partitions: ReadonlySet<number>): void {
    if (this.#waiting.get(schemaId) !== partitions) return;
    this.#waiting.delete(schemaId);
    for (const partition of partitions) this.#waiter.released(partition);
  }
}

function outageDelayMs(outages: number): number {
  return Math.min(outageToMs, outageFromMs * 2 ** outages);
}
