import { aggregateColumns, restoreAggregate } from "./aggregate-snapshot.ts";
import { createBreaker, countDeadLetter } from "./breaker.ts";
import { ColumnReader, contradiction, packColumns } from "./byte-layout.ts";
import { type Canary, canaryOf } from "./canary.ts";
import { rejectCode, rejectReasons, type RecordColumns } from "./columns.ts";
import { Deduplicator } from "./deduplicate.ts";
import { type SetAside, setAside } from "./dead-letters.ts";
import type { IdColumns } from "./id-table.ts";
import { TooManyDeadLetters } from "./operator-halt.ts";
import type { TaskOutput } from "./ports.ts";
import type { ResultColumns } from "./results.ts";
import { aggregateDelta, markOf, type StateMark } from "./state-delta.ts";
import { watermarkTime } from "./watermark.ts";
import { type EpochMs } from "./window.ts";
import { WindowedAggregate } from "./windowed-aggregate.ts";
import type { WindowedJob } from "./windowed-job.ts";

const tooManyKeys = rejectCode("too many keys");

/** Records of a task by outcome: in = counted + late + dead + duplicates. */
export type TaskCounts = { in: number; late: number; dead: number; duplicates: number };

/**
 * One partition's state: a pure function of the log before `nextOffset` and of the recorded decisions.
 * Equal prefixes give equal `snapshot()` bytes, whatever the batching, timing or restarts; but for what the breaker
 * remembers where an operator accepted dead letters, on which no result rests.
 */
export class Task {
  readonly partition: number;
  readonly job: WindowedJob;
  /** Offset of the next record to apply. */
  nextOffset: number;
  readonly counts: TaskCounts = { in: 0, late: 0, dead: 0, duplicates: 0 };
  /** Highest Kafka timestamp seen, epoch ms: what time it is in the log. -1 when no record had one. */
  highestRecordTime = -1;
  canary: Canary | undefined;
  /** Schema ids whose records are dead letters by decision. */
  readonly unknownSchemas = new Set<number>();
  #aggregate: WindowedAggregate;
  #seen: Deduplicator | undefined;
  #breaker = createBreaker();
  /** Dead letters below this offset are accepted. */
  #acceptBefore = 0;
  #deadLetters: SetAside[] = [];
  #late: SetAside[] = [];

  constructor(job: WindowedJob, partition: number, nextOffset: number) {
    this.job = job;
    this.partition = partition;
    this.nextOffset = nextOffset;
    this.#aggregate = new WindowedAggregate(job, nextOffset);
    this.#seen = createDeduplicator(job, partition);
  }

  /** What the task computes; read only from outside. */
  get aggregate(): WindowedAggregate {
    return this.#aggregate;
  }

  /** Event ids that redeliveries are told by; undefined when the job does not. Read only from outside. */
  get seen(): Deduplicator | undefined {
    return this.#seen;
  }

  /** What time it is in the log, epoch ms: the highest Kafka timestamp, or event time where records have none. */
  get logTime(): EpochMs {
    return this.highestRecordTime >= 0 ? this.highestRecordTime : this.#aggregate.watermark.highest;
  }

  /** Rows that wait for `output`. */
  get pendingRows(): number {
    return this.#aggregate.pendingResults + this.#deadLetters.length + this.#late.length;
  }

  /**
   * Applies the records of a batch; all of them lie at or after `nextOffset`.
   * @throws {StreamError} DEAD_LETTER_BREAKER (an OperatorHalt), DEDUPLICATION_FULL; the task is not to be used after it
   */
  apply(columns: RecordColumns, nextOffset: number): void {
    const seenBefore = this.counts.in;
    const { recordTime, count } = columns;
    let highest = this.highestRecordTime;
    for (let row = 0; row < count; row++) highest = Math.max(highest, recordTime[row] ?? -1);
    this.highestRecordTime = highest;
    this.counts.in += count;
    const aside = {
      dead: (row: number, reason: number): void =>
        this.#addDeadLetter(columns, row, reason, seenBefore + row),
      duplicate: (): void => void this.counts.duplicates++,
      late: (row: number): void => {
        this.counts.late++;
        this.#late.push(setAside(columns, row, 0));
      },
    };
    this.#aggregate.apply(columns, aside, this.#seen);
    if (count > 0) this.canary = canaryOf(columns, count - 1);
    this.nextOffset = nextOffset;
  }

  /** Everything there is to say since the last call. */
  output(jobEpoch: number, onlyFinal: boolean): TaskOutput {
    return this.#outputOf(jobEpoch, this.#aggregate.collect(this.nextOffset, onlyFinal));
  }

  /** The same without results of open windows, which stay to be said by `output`. */
  closedOutput(jobEpoch: number): TaskOutput {
    return this.#outputOf(jobEpoch, this.#aggregate.takeClosed());
  }

  /** Advances the watermark by a decision that is durable already. */
  decide(watermark: EpochMs): void {
    this.#aggregate.decide(watermark, this.nextOffset);
  }

  /**
   * Lets all records below `offset` be dead letters; from there on the breaker judges as if there had been none before.
   * It remembers none of them in snapshots either, so that a restart neither forgives more nor stops for these.
   */
  acceptDeadLettersBefore(offset: number): void {
    this.#acceptBefore = offset;
    this.#breaker = createBreaker();
  }

  /** A copy of the state as bytes. What waits for `output` is not in it: publish that first. */
  snapshot(): Uint8Array {
    const aggregate = this.#aggregate;
    return packColumns([
      ...this.#headColumns(),
      ...aggregateColumns(aggregate),
      ...idColumns(this.#seen?.contents(watermarkTime(aggregate.watermark))),
    ]);
  }

  /** For a delta to come; the snapshot or delta taken at this very moment is what it will be applied to. */
  get mark(): StateMark {
    const { nextOffset } = this;
    return { nextOffset, ...markOf(this.#aggregate), ids: this.#seen?.mark };
  }

  /**
   * What changed since `mark`, as bytes: `StateImage` makes of it and the state before what `snapshot` gives now. undefined
   * when it cannot be told.
   */
  delta(mark: StateMark): Uint8Array | undefined {
    const changes = aggregateDelta(this.#aggregate, mark);
    const watermark = watermarkTime(this.#aggregate.watermark);
    const none = { from: Number.NEGATIVE_INFINITY, ids: undefined };
    const news = mark.ids === undefined ? none : this.#seen?.contentsSince(mark.ids, watermark);
    if (changes === undefined || news === undefined) return undefined;
    const ids = [Float64Array.of(news.from), ...idColumns(news.ids)];
    return packColumns([...this.#headColumns(), ...changes, ...ids]);
  }

  /** @throws {StreamError} CHECKPOINT_UNREADABLE */
  static restore(job: WindowedJob, partition: number, snapshot: Uint8Array): Task {
    const reader = new ColumnReader(snapshot);
    const scalars = reader.scalars(9);
    if (!scalars.every(Number.isSafeInteger)) throw contradiction("the scalars of the task");
    const [nextOffset = 0, highest = -1, seen = 0, late = 0, dead = 0, ...more] = scalars;
    const [offset = -1, recordTime = -1, crc = 0, duplicates = 0] = more;
    if (nextOffset < 0) throw contradiction("the next offset");
    const task = new Task(job, partition, nextOffset);
    task.highestRecordTime = highest;
    Object.assign(task.counts, { in: seen, late, dead, duplicates });
    if (offset >= 0) task.canary = { offset, recordTime, crc };
    task.#breaker = createBreaker([...reader.float64()]);
    for (const id of reader.float64()) task.unknownSchemas.add(id);
    task.#aggregate = restoreAggregate(job, nextOffset, reader);
    task.#seen = createDeduplicator(job, partition, restoreIds(job, reader));
    reader.end();
    return task;
  }

  /** What is written whole each time: scalars, the breaker's memory and unknown schemas. */
  #headColumns(): Float64Array[] {
    const { canary } = this;
    return [
      Float64Array.of(
        this.nextOffset,
        this.highestRecordTime,
        this.counts.in,
        this.counts.late,
        this.counts.dead,
        canary?.offset ?? -1,
        canary?.recordTime ?? -1,
        canary?.crc ?? 0,
        this.counts.duplicates,
      ),
      Float64Array.from(this.#breaker.recent),
      Float64Array.from([...this.unknownSchemas].sort((a, b) => a - b)),
    ];
  }

  #outputOf(jobEpoch: number, results: ResultColumns): TaskOutput {
    const { partition } = this;
    const output = {
      partition,
      jobEpoch,
      results,
      deadLetters: this.#deadLetters,
      late: this.#late,
    };
    this.#deadLetters = [];
    this.#late = [];
    return output;
  }

  #addDeadLetter(columns: RecordColumns, row: number, reason: number, ordinal: number): void {
    this.counts.dead++;
    this.#deadLetters.push(setAside(columns, row, reason));
    const offset = columns.offset[row] ?? 0;
    if (offset < this.#acceptBefore || !countDeadLetter(this.#breaker, ordinal)) return;
    const why = rejectReasons[reason] ?? "an unknown reason";
    throw new TooManyDeadLetters(this.partition, offset, why, adviceOn(reason, this.job));
  }
}

function adviceOn(reason: number, { maxKeys }: WindowedJob): string {
  if (reason !== tooManyKeys) return "mend the producers or the reader";
  return `raise MAX_KEYS above ${maxKeys} (some 400 bytes of memory a key), or mend the producers`;
}

function createDeduplicator(
  { deduplicate }: WindowedJob,
  partition: number,
  ids?: IdColumns,
): Deduplicator | undefined {
  if (deduplicate === undefined) return undefined;
  return new Deduplicator(deduplicate, `partition ${partition}`, ids);
}

/** Three columns, empty without deduplication. */
function idColumns(ids: IdColumns | undefined): (Float64Array | Uint8Array)[] {
  const none = { times: new Float64Array(0), lengths: new Uint8Array(0), bytes: new Uint8Array(0) };
  const { times, lengths, bytes } = ids ?? none;
  return [times, lengths, bytes];
}

function restoreIds({ deduplicate }: WindowedJob, reader: ColumnReader): IdColumns {
  const ids = { times: reader.float64(), lengths: reader.uint8(), bytes: reader.uint8() };
  if (deduplicate === undefined && ids.times.length > 0) throw contradiction("event ids");
  return ids;
}
