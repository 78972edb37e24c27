import { deadLetterHeaders, redriveOrigin } from "@adstream/contracts/dead-letter";
import { OffsetSet } from "@adstream/verify/offset-set";
import { openRawTopic, type RawRecord, topicSpans } from "@adstream/verify/raw-topic";
import type { KafkaConnection } from "@adstream/kafka/connection";

/** A record of the dead-letter or late topic. Everything in it but numbers is other people's text. */
export type Letter = {
  /** `topic/partition/offset` of the original. */
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Kafka timestamp of the original, epoch ms; -1 where it had none. */
  readonly time: number;
  readonly reason: string;
  /** Absent where the value is too short to hold one. */
  readonly schemaId: number | undefined;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The value was too large to keep: its size and digest. */
  readonly dropped: { readonly bytes: number; readonly sha256: string } | undefined;
  readonly headers: Readonly<Record<string, string>>;
};

/** Which letters are meant; all where nothing is said. */
export type Selection = {
  readonly reason?: string | undefined;
  readonly schemaId?: number | undefined;
  /** `partition/offset` */
  readonly origin?: string | undefined;
};

/** @returns undefined for a record that names no origin: nobody of us wrote it */
export function letterOf({ key, value, headers: raw = {} }: RawRecord): Letter | undefined {
  const headers = Object.fromEntries(
    Object.entries(raw).map(([name, text]) => [name, String(text ?? "")]),
  );
  const names = deadLetterHeaders;
  const [topic, partition, offset] = [names.topic, names.partition, names.offset].map(
    (name) => headers[name] ?? "",
  );
  if (topic === undefined || topic === "") return undefined;
  if (!/^\d{1,9}$/.test(partition ?? "") || !/^\d{1,15}$/.test(offset ?? "")) return undefined;
  const schemaId = headers[names.schemaId];
  const bytes = headers[names.valueBytes];
  return {
    id: redriveOrigin(topic, Number(partition), Number(offset)),
    topic,
    partition: Number(partition),
    offset: Number(offset),
    time: Number(headers[names.timestamp] ?? -1),
    reason: headers[names.reason] ?? "",
    schemaId: schemaId === undefined ? undefined : Number(schemaId),
    key,
    value,
    dropped:
      bytes === undefined
        ? undefined
        : { bytes: Number(bytes), sha256: headers[names.valueSha256] ?? "" },
    headers,
  };
}

export function isSelected(letter: Letter, { reason, schemaId, origin }: Selection): boolean {
  return (
    (reason === undefined || letter.reason === reason) &&
    (schemaId === undefined || letter.schemaId === schemaId) &&
    (origin === undefined || `${letter.partition}/${letter.offset}` === origin)
  );
}

export type LettersRead = {
  /** Copies of a letter seen before: a crash between publishing and the checkpoint leaves them. */
  readonly repeated: number;
  /** Records that name no origin. */
  readonly foreign: number;
};

/** Every selected letter of a topic once, until `each` answers false; in order within a partition. */
export async function readLetters(
  kafka: KafkaConnection,
  topic: string,
  selection: Selection,
  each: (letter: Letter) => boolean | void,
): Promise<LettersRead> {
  const seen = new Map<string, OffsetSet>();
  let repeated = 0;
  let foreign = 0;
  let over = false;
  await using raw = await openRawTopic({ kafka, topic, spans: await topicSpans(kafka, topic) });
  const readers = [...raw.partitions.values()].map(async (batches) => {
    for await (const records of batches) {
      for (const record of records) {
        if (over) return;
        const letter = letterOf(record);
        if (letter === undefined) foreign += 1;
        else if (!isFirst(seen, letter)) repeated += 1;
        else if (isSelected(letter, selection)) over = each(letter) === false;
      }
    }
  });
  await Promise.all(readers);
  return { repeated, foreign };
}

function isFirst(seen: Map<string, OffsetSet>, { topic, partition, offset }: Letter): boolean {
  const place = `${topic}/${partition}`;
  const offsets = seen.get(place) ?? new OffsetSet();
  seen.set(place, offsets);
  return offsets.add(offset);
}
