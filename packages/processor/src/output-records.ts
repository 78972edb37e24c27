import { rejectReasons } from "@adstream/engine/columns";
import type { SetAside } from "@adstream/engine/dead-letters";
import type { TaskOutput } from "@adstream/engine/ports";
import { deadLetterRecord } from "@adstream/kafka/dead-letter-record";

/** A record to be published. */
export type OutputRecord = {
  readonly topic: string;
  readonly key: Uint8Array | string;
  readonly value: Uint8Array | null;
  readonly headers?: Record<string, string>;
};

export type OutputTopics = {
  readonly events: string;
  readonly results: string;
  readonly deadLetters: string;
  readonly late: string;
};

/** Dead letters and late records with their origin, key and value as they were. */
export function setAsideRecords(topics: OutputTopics, output: TaskOutput): OutputRecord[] {
  const { partition, deadLetters, late } = output;
  return [
    ...deadLetters.map((letter) => setAsideRecord(topics.deadLetters, topics, partition, letter)),
    ...late.map((letter) => setAsideRecord(topics.late, topics, partition, letter)),
  ];
}

function setAsideRecord(
  topic: string,
  topics: OutputTopics,
  partition: number,
  letter: SetAside,
): OutputRecord {
  const { offset, recordTime: timestamp, key, value } = letter;
  const reason =
    letter.reason === 0 ? "late" : (rejectReasons[letter.reason] ?? String(letter.reason));
  const origin = { topic: topics.events, partition, offset, timestamp };
  return deadLetterRecord(topic, { ...origin, key, value, reason });
}
