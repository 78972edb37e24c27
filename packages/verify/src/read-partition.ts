import { redriveHeaders } from "@adstream/contracts/dead-letter";
import type { CountedWindow, LoggedRecord, PartitionCounter } from "./count-partition.ts";
import type { Event } from "./event.ts";
import type { OffsetSet } from "./offset-set.ts";
import type { RawRecord } from "./raw-topic.ts";
import type { WindowRange } from "./documents.ts";

/** What the side topics say of one partition. */
export type Letters = {
  readonly dead: OffsetSet;
  readonly late: OffsetSet;
  /** Dead by decision. */
  readonly decided: OffsetSet;
};

/** Records that are not where they belong; the first offsets of each. */
export type Strays = { count: number; readonly first: number[] };

export type PartitionAudit = {
  /** Dead or late and not in the topic for it. */
  readonly unlettered: Strays;
  /** Dead-letter and late records that found their originals. */
  dead: number;
  late: number;
  /** Records that `pnpm dlq redrive` sent. */
  redriven: number;
};

export type PartitionReading = {
  readonly batches: AsyncIterable<readonly RawRecord[]>;
  readonly decode: (value: Buffer | null) => Promise<Event | undefined>;
  readonly counter: PartitionCounter;
  readonly letters: Letters;
  readonly audit: PartitionAudit;
  /** Offset after the last record. */
  readonly end: number;
  /** Windows given away; all when absent. Reading ends when nothing more can come for them. */
  readonly range?: WindowRange | undefined;
  /** Watermark at which no window of the range can change any more. */
  readonly enough: number;
  /** Absent in a range: what came before it would have to be known. */
  readonly checkLate: boolean;
  /** Told the origin of each redriven record. */
  readonly redriven: (origin: string) => void;
};

const maxStraysShown = 5;

export function createAudit(): PartitionAudit {
  return { unlettered: { count: 0, first: [] }, dead: 0, late: 0, redriven: 0 };
}

/** Windows of one partition, oldest first, and on the way every record is held against the side topics. */
export async function* readPartition(reading: PartitionReading): AsyncGenerator<CountedWindow> {
  const { batches, counter, range, enough, end } = reading;
  const wanted = ({ start }: CountedWindow): boolean =>
    range === undefined || (start >= range.from && start < range.to);
  for await (const records of batches) {
    for (const record of records) {
      await apply(record, reading);
      if (counter.watermark >= enough) break;
    }
    yield* counter.takeExpired().filter(wanted);
    if (counter.watermark >= enough) return;
  }
  yield* counter.takeRest(end).filter(wanted);
}

async function apply(record: RawRecord, reading: PartitionReading): Promise<void> {
  const { decode, counter, letters, audit, checkLate } = reading;
  const offset = Number(record.offset);
  const event = letters.decided.has(offset) ? undefined : await decode(record.value);
  const logged: LoggedRecord = { offset, recordTime: Number(record.timestamp), event };
  const outcome = counter.add(logged);
  if (outcome === "dead") note(audit, "dead", letters.dead, offset);
  if (outcome === "late" && checkLate) note(audit, "late", letters.late, offset);
  const origin = record.headers?.[redriveHeaders.origin];
  if (origin === undefined) return;
  audit.redriven += 1;
  reading.redriven(String(origin));
}

function note(audit: PartitionAudit, kind: "dead" | "late", found: OffsetSet, at: number): void {
  if (found.has(at)) audit[kind] += 1;
  else {
    audit.unlettered.count += 1;
    if (audit.unlettered.first.length < maxStraysShown) audit.unlettered.first.push(at);
  }
}
