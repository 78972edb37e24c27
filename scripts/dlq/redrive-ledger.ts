import { redriveHeaders, redriveOrigin } from "@adstream/contracts/dead-letter";
import type { KafkaConnection } from "@adstream/kafka/connection";
import { openRawTopic, type RawRecord, topicSpans } from "@adstream/verify/raw-topic";

/** Where a redriven record comes from, over all its redrives. */
export type RedriveChain = { readonly firstOrigin: string; readonly count: number };

/**
 * What was redriven, as the events topic tells: each redriven record names the letter it was made of. No other memory is
 * needed, so none can be lost or disagree with the log.
 */
export class RedriveLedger {
  readonly #redriven = new Set<string>();
  /** By the place of a redriven record, which is the origin of its letter should it fail again. */
  readonly #chains = new Map<string, RedriveChain>();
  /** Highest Kafka timestamp of each partition, epoch ms. */
  readonly newest = new Map<number, number>();
  /** Letters of older originals may have been redriven by records that retention took. */
  reachesBackTo = -Infinity;
  readonly #topic: string;
  readonly #next = new Map<number, number>();

  /** @param topic of the events */
  constructor(topic: string) {
    this.#topic = topic;
  }

  /** Whether a record made of the letter of this origin is in the log. */
  has(origin: string): boolean {
    return this.#redriven.has(origin);
  }

  /** undefined for an original that was not redriven itself. */
  chainOf(origin: string): RedriveChain | undefined {
    return this.#chains.get(origin);
  }

  add(partition: number, { offset, timestamp, headers = {} }: RawRecord): void {
    const time = Number(timestamp);
    this.newest.set(partition, Math.max(time, this.newest.get(partition) ?? -1));
    const origin = headers[redriveHeaders.origin];
    if (origin === undefined) return;
    this.#redriven.add(String(origin));
    const firstOrigin = String(headers[redriveHeaders.firstOrigin] ?? origin);
    const count = Number(headers[redriveHeaders.count] ?? 1);
    const place = redriveOrigin(this.#topic, partition, Number(offset));
    this.#chains.set(place, { firstOrigin, count: Number.isSafeInteger(count) ? count : 1 });
  }

  /** Reads what came since the last call; at first everything since `sinceMs` (epoch ms). */
  async catchUp(kafka: KafkaConnection, sinceMs: number): Promise<void> {
    const topic = this.#topic;
    const spans = await topicSpans(kafka, topic, this.#next.size === 0 ? sinceMs : 0);
    const more = new Map(
      [...spans].map(([partition, span]) => {
        const from = Math.max(span.from, this.#next.get(partition) ?? 0);
        // Of an empty partition that once held records nothing is known.
        const gone = span.low > 0 && span.from === span.low && !this.#next.has(partition);
        if (gone && from === span.to) this.reachesBackTo = Infinity;
        return [partition, { ...span, from, gone }];
      }),
    );
    await using raw = await openRawTopic({ kafka, topic, spans: more });
    const readers = [...raw.partitions].map(async ([partition, batches]) => {
      let first = more.get(partition)?.gone === true;
      for await (const records of batches) {
        for (const record of records) {
          if (first) this.reachesBackTo = Math.max(this.reachesBackTo, Number(record.timestamp));
          first = false;
          this.add(partition, record);
        }
      }
    });
    await Promise.all(readers);
    for (const [partition, { to }] of more) this.#next.set(partition, to);
  }
}
