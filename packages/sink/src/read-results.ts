import type { Result, ResultShape } from "@adstream/contracts/result-shape";
import { rejectReasons } from "@adstream/engine/columns";
import { StreamError } from "@adstream/engine/errors";
import type { Clock } from "@adstream/engine/ports";
import { readRecords } from "@adstream/kafka/record-batch";
import type { SchemaRegistryClient } from "@adstream/kafka/schema-registry";
import { frameBytes, frameSchemaId } from "@adstream/kafka/wire-format";

import type { ReadResults } from "./consume-results.ts";
import type { RefusedRecord, SourceRecord } from "./intake-queue.ts";
import { type ResultParser, resultParser } from "./parse-result.ts";

/** Decodes Avro written with one schema; throws where the bytes are not of it. */
export type Decode = (payload: Uint8Array) => unknown;

export type ReaderOptions = {
  readonly registry: Pick<SchemaRegistryClient, "fetchSchema">;
  /** Throws where the schema cannot be read at all. */
  readonly compile: (schemaText: string) => Decode;
  readonly clock: Clock;
  /** Of the job's results; without it that of ad-stats. */
  readonly shape?: ResultShape;
};

/** How long a writer may be ahead of its registration (protocol 2.6). */
const unknownPatienceMs = 30_000;

/**
 * Reads the records of a batch as results, each by its own writer's schema; what is none is refused. While the registry
 * does not answer, or does not know a schema yet, the read fails for retry: an outage is no reason to refuse a result.
 */
export function createResultReader(options: ReaderOptions): ReadResults {
  const parse = resultParser(options.shape);
  const decoders = new Map<number, Decode | string>();
  const unknownSince = new Map<number, number>();

  /** Of a schema that is new. */
  async function decoderOf(id: number): Promise<Decode | string> {
    const schema = await options.registry.fetchSchema(id);
    if (schema.kind === "unknown") return waitFor(id);
    unknownSince.delete(id);
    const decoder = compiled(options.compile, schema.text);
    decoders.set(id, decoder);
    return decoder;
  }

  function waitFor(id: number): string {
    const nowMs = options.clock.nowMs();
    const sinceMs = unknownSince.get(id) ?? nowMs;
    unknownSince.set(id, sinceMs);
    if (nowMs - sinceMs >= unknownPatienceMs) return "unknown schema id";
    const text = `schema id ${id} of a result is not registered (SCHEMA_REGISTRY_URL)`;
    throw new StreamError("SERVER_UNAVAILABLE", "retry", text);
  }

  /** At once where the schema is known. */
  function read(value: Uint8Array | null): Result | string | Promise<Result | string> {
    if (value === null) return "null value";
    const schemaId = frameSchemaId(value, 0, value.length);
    if (schemaId < 0) return rejectReasons[-schemaId] ?? "short frame";
    const decoder = decoders.get(schemaId);
    if (decoder !== undefined) return decoded(decoder, value, parse);
    return decoderOf(schemaId).then((added) => decoded(added, value, parse));
  }

  return async (partition, bytes, fromOffset) => {
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
    return { results, records, refused };
  };
}

function compiled(compile: ReaderOptions["compile"], text: string): Decode | string {
  try {
    return compile(text);
  } catch {
    return "unreadable schema";
  }
}

/** @param decoder or why there is none */
function decoded(
  decoder: Decode | string,
  value: Uint8Array,
  parse: ResultParser,
): Result | string {
  if (typeof decoder === "string") return decoder;
  let datum: unknown;
  try {
    datum = decoder(value.subarray(frameBytes));
  } catch {
    return "truncated or malformed Avro";
  }
  return parse(datum);
}
