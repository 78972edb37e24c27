import { ErrorCode } from "./error-codes.ts";
import type { BatchHeader } from "./record-batch.ts";

/** Batches a partition remembers per producer: as many as a client may have in flight (Kafka's own number). */
const REMEMBERED_BATCHES = 5;
/** Producers a partition remembers; the one that wrote longest ago is forgotten first, as if it had expired. */
const MAX_PRODUCERS = 10_000;
const MAX_SEQUENCE = 0x7fffffff;

type Remembered = { readonly first: number; readonly last: number; readonly baseOffset: number };
type Producer = { readonly epoch: number; readonly recent: readonly Remembered[] };

/**
 * What to do with a batch: append it, acknowledge it again without appending (the client did not see our first
 * answer), or refuse it.
 */
export type SequenceVerdict =
  | "append"
  | { readonly duplicateOf: number }
  | { readonly error: number };

/**
 * Sequence numbers of one partition's idempotent producers (KIP-98), judged as Kafka 4 does: an older epoch is
 * fenced, a new epoch starts at 0, a producer the partition knows nothing about may start anywhere (its records were
 * deleted), UNKNOWN_PRODUCER_ID is never answered.
 */
export class ProducerStates {
  readonly #producers = new Map<number, Producer>();

  judge(header: BatchHeader): SequenceVerdict {
    if (header.producerId < 0) return "append";
    const known = this.#producers.get(header.producerId);
    if (known === undefined) return "append";
    if (header.producerEpoch < known.epoch) return { error: ErrorCode.invalidProducerEpoch };
    const first = header.baseSequence;
    const last = lastSequence(header);
    if (header.producerEpoch > known.epoch) {
      return first === 0 ? "append" : { error: ErrorCode.outOfOrderSequence };
    }
    const duplicate = known.recent.find((batch) => batch.first === first && batch.last === last);
    if (duplicate !== undefined) return { duplicateOf: duplicate.baseOffset };
    const previous = known.recent.at(-1)?.last ?? -1;
    const expected = previous === MAX_SEQUENCE ? 0 : previous + 1;
    return first === expected ? "append" : { error: ErrorCode.outOfOrderSequence };
  }

  /** Remembers a batch that was appended at `baseOffset`. */
  appended(header: BatchHeader, baseOffset: number): void {
    if (header.producerId < 0) return;
    const known = this.#producers.get(header.producerId);
    const recent = known?.epoch === header.producerEpoch ? known.recent : [];
    const batch = { first: header.baseSequence, last: lastSequence(header), baseOffset };
    this.#producers.delete(header.producerId);
    this.#producers.set(header.producerId, {
      epoch: header.producerEpoch,
      recent: [...recent.slice(1 - REMEMBERED_BATCHES), batch],
    });
    if (this.#producers.size <= MAX_PRODUCERS) return;
    const [oldest] = this.#producers.keys();
    if (oldest !== undefined) this.#producers.delete(oldest);
  }
}

/** Sequences wrap to 0 behind 2^31 - 1. */
function lastSequence(header: BatchHeader): number {
  return (header.baseSequence + header.lastOffsetDelta) % (MAX_SEQUENCE + 1);
}
