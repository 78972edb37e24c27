import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import type { Kafka } from "kafkajs";
import { OffsetSet } from "./offset-set.ts";
import { openRawTopic, type RawRecord, type Spans, topicSpans } from "./raw-topic.ts";

/** Records of one events topic that a side topic holds, by their origin. */
export type SideTopic = {
  readonly origins: ReadonlyMap<number, OffsetSet>;
  /**
   * Those set aside for what a reader of the log cannot know: their schema was unknown for a while, or their key was one
   * more than the processor may hold, which depends on the memory it gave back before.
   */
  readonly decided: ReadonlyMap<number, OffsetSet>;
  readonly different: number;
  /** Copies beyond the first: what a crash between publishing and the checkpoint leaves behind. */
  readonly repeated: number;
  /** Without an origin, or of another topic. */
  readonly foreign: number;
};

/** Everything else that is dead is found dead by whoever reads it. */
const believedReasons: ReadonlySet<string> = new Set(["unknown schema id", "too many keys"]);

export type SideTopicOptions = {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly eventsTopic: string;
  /** Of the events topic: letters of other records are passed over. */
  readonly spans: Spans;
  /** Epoch ms; letters are written after their originals, so older ones are of no interest. */
  readonly sinceMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** Reads a side topic to its end. */
export async function readSideTopic(options: SideTopicOptions): Promise<SideTopic> {
  const { kafka, topic, eventsTopic, sinceMs } = options;
  const origins = new Map<number, OffsetSet>();
  const decided = new Map<number, OffsetSet>();
  let different = 0;
  let repeated = 0;
  let foreign = 0;
  await using raw = await openRawTopic({
    kafka,
    topic,
    spans: await topicSpans(kafka, topic, sinceMs),
    signal: options.signal,
  });
  const readers = [...raw.partitions.values()].map(async (batches) => {
    for await (const records of batches) {
      for (const record of records) {
        const letter = originOf(record);
        if (letter?.topic !== eventsTopic) foreign += 1;
        else if (within(options.spans, letter)) {
          const { partition, offset } = letter;
          if (offsetsOf(origins, partition).add(offset)) different += 1;
          else repeated += 1;
          if (believedReasons.has(letter.reason)) offsetsOf(decided, partition).add(offset);
        }
      }
    }
  });
  await Promise.all(readers);
  return { origins, decided, different, repeated, foreign };
}

function within(spans: Spans, { partition, offset }: Origin): boolean {
  const span = spans.get(partition);
  return span !== undefined && offset >= span.from && offset < span.to;
}

function offsetsOf(sets: Map<number, OffsetSet>, partition: number): OffsetSet {
  const known = sets.get(partition) ?? new OffsetSet();
  sets.set(partition, known);
  return known;
}

type Origin = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
};

function originOf({ headers = {} }: RawRecord): Origin | undefined {
  const text = (name: string): string => String(headers[name] ?? "");
  const partition = text(deadLetterHeaders.partition);
  const offset = text(deadLetterHeaders.offset);
  if (!/^\d{1,9}$/.test(partition) || !/^\d{1,15}$/.test(offset)) return undefined;
  return {
    topic: text(deadLetterHeaders.topic),
    partition: Number(partition),
    offset: Number(offset),
    reason: text(deadLetterHeaders.reason),
  };
}
