import { adStatsShape } from "@adstream/contracts/ad-stats";
import type { Result, ResultShape } from "@adstream/contracts/result-shape";
import { StreamError } from "@adstream/engine/errors";
import type { Clock } from "@adstream/engine/ports";
import type { SchemaRegistryClient } from "@adstream/kafka/schema-registry";

import { resultParser } from "./parse-result.ts";
import { composeResultScan, type ResultScan } from "./result-scan.ts";

/** Decodes Avro written with one schema; throws where the bytes are not of it. */
export type Decode = (payload: Uint8Array) => unknown;

export type WritersOptions = {
  readonly registry: Pick<SchemaRegistryClient, "fetchSchema">;
  /** Throws where the schema cannot be read at all. */
  readonly compile: (schemaText: string) => Decode;
  readonly clock: Clock;
  /** Of the job's results; without it that of ad-stats. */
  readonly shape?: ResultShape;
};

/** Reads values of one writer's schema. */
export type ResultWriter = {
  /** @returns the reason, as text, where the value is no result */
  readonly read: (payload: Uint8Array) => Result | string;
  /** undefined where the schema has other fields than the results of this job. */
  readonly scan: ResultScan | undefined;
};

/** How long a writer may be ahead of its registration (protocol 2.6). */
const unknownPatienceMs = 30_000;

/** Those who wrote results, by schema id; a text says why nothing of one can be read. */
export class ResultWriters {
  readonly #options: WritersOptions;
  readonly #known = new Map<number, ResultWriter | string>();
  readonly #unknownSince = new Map<number, number>();

  constructor(options: WritersOptions) {
    this.#options = options;
  }

  /** @returns undefined for a schema that was not fetched yet */
  get(schemaId: number): ResultWriter | string | undefined {
    return this.#known.get(schemaId);
  }

  /** @throws {StreamError} SERVER_UNAVAILABLE (retry) while the registry does not answer, or does not know it yet */
  async fetch(schemaId: number): Promise<ResultWriter | string> {
    const schema = await this.#options.registry.fetchSchema(schemaId);
    if (schema.kind === "unknown") return this.#waitFor(schemaId);
    this.#unknownSince.delete(schemaId);
    const writer = this.#compiled(schema.text);
    this.#known.set(schemaId, writer);
    return writer;
  }

  #waitFor(schemaId: number): string {
    const nowMs = this.#options.clock.nowMs();
    const sinceMs = this.#unknownSince.get(schemaId) ?? nowMs;
    this.#unknownSince.set(schemaId, sinceMs);
    if (nowMs - sinceMs >= unknownPatienceMs) return "unknown schema id";
    const text = `schema id ${schemaId} of a result is not registered (SCHEMA_REGISTRY_URL)`;
    throw new StreamError("SERVER_UNAVAILABLE", "retry", text);
  }

  #compiled(text: string): ResultWriter | string {
    const { compile, shape = adStatsShape } = this.#options;
    const parse = resultParser(shape);
    try {
      const decode = compile(text);
      const read = (payload: Uint8Array): Result | string => {
        let datum: unknown;
        try {
          datum = decode(payload);
        } catch {
          return "truncated or malformed Avro";
        }
        return parse(datum);
      };
      return { read, scan: composeResultScan(text, shape) };
    } catch {
      return "unreadable schema";
    }
  }
}
