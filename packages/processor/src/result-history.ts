import { resultSchema, versionParts } from "@adstream/contracts/result-shape";
import type { PublishedSlot, ResultHistory } from "@adstream/engine/result-history";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frameBytes } from "@adstream/kafka/wire-format";
import type { Job } from "./job.ts";

/** What a look back needs to know of a result: where it belongs, and its version. Times are epoch ms. */
export type PublishedResult = {
  readonly key: string;
  readonly windowStart: number;
  readonly windowEnd: number;
  /** Source partition. */
  readonly slot: number;
  readonly version: bigint;
};

/** Reads the results topic from a time to its end; resolves with whether retention can have removed none of it. */
export type ReadResults = (
  sinceMs: number,
  each: (value: Buffer | null) => void,
) => Promise<boolean>;

/** Avro bytes -> what the job says about its own results; throws or undefined for what is none. */
export type ResultDecoder = (payload: Uint8Array) => PublishedResult | undefined;

/** Looks back at what was published. Several tasks that ask for their newest epoch at a time share one reading. */
export function resultHistory(read: ReadResults, decode: ResultDecoder): ResultHistory {
  /** @returns whether every record was there and readable */
  const readAll = async (
    sinceMs: number,
    each: (result: PublishedResult) => void,
  ): Promise<boolean> => {
    let readable = true;
    const complete = await read(sinceMs, (value) => {
      const result = decoded(value, decode);
      if (result === undefined) readable = false;
      else each(result);
    });
    return complete && readable;
  };
  let epochs: Promise<{ newest: Map<number, number>; complete: boolean }> | undefined;
  const readEpochs = async (): Promise<{ newest: Map<number, number>; complete: boolean }> => {
    const newest = new Map<number, number>();
    const complete = await readAll(0, ({ slot, version }) => {
      const { epoch } = versionParts(version);
      if (epoch >= (newest.get(slot) ?? 0)) newest.set(slot, epoch);
    });
    return { newest, complete };
  };
  return {
    async published(partition, { sinceMs, belowEpoch, above }) {
      const slots = new Map<string, PublishedSlot>();
      const complete = await readAll(sinceMs, (result) => {
        const { slot, version, key, windowStart, windowEnd } = result;
        const { epoch, w } = versionParts(version);
        const wanted = epoch < belowEpoch && w > above;
        if (slot !== partition || !wanted) return;
        slots.set(`${windowStart}/${key}`, { key: Buffer.from(key), windowStart, windowEnd });
      });
      return { slots: [...slots.values()], complete };
    },
    async newestEpoch(partition) {
      epochs ??= readEpochs().finally(() => (epochs = undefined));
      const { newest, complete } = await epochs;
      return { epoch: newest.get(partition), complete };
    },
  };
}

function decoded(value: Buffer | null, decode: ResultDecoder): PublishedResult | undefined {
  if (value === null || value.length <= frameBytes) return undefined;
  try {
    return decode(value.subarray(frameBytes));
  } catch {
    return undefined;
  }
}

/**
 * Composes what reads the job's results back.
 *
 * @returns undefined for what is no result; it may throw {StreamError} VALUE_UNREADABLE as well
 */
export function publishedReader({ result }: Job): ResultDecoder {
  const { decode } = avroCodec(resultSchema(result), { bigintFields: ["version"] });
  return (payload) => {
    const { [result.key]: key, ...rest } = Object(decode(payload));
    const { window_start, window_end, slot, version } = rest;
    if (typeof key !== "string" || typeof version !== "bigint") return undefined;
    const [windowStart, windowEnd] = [Number(window_start), Number(window_end)];
    return { key, windowStart, windowEnd, slot: Number(slot), version };
  };
}
