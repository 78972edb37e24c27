import { type ErrorCode, StreamError } from "./errors.ts";
import type { PartitionInfo } from "./ports.ts";

/** What an operator may allow a start to do; each is named in the line of the halt that it lifts. */
export const operatorFlags = [
  "from-beginning",
  "accept-gap",
  "accept-new-log",
  "retry-schemas",
  "accept-dead-letters",
] as const;
export type OperatorFlag = (typeof operatorFlags)[number];

/** Something that only an operator may decide: no restart gets past it (exit code 78, or 65 for what the input is). */
export class OperatorHalt extends StreamError {
  /** The flag that lifts it; undefined where only other settings or other code do. */
  readonly flag: OperatorFlag | undefined;
  /** What is wrong, without the advice. */
  readonly finding: string;

  constructor(
    code: ErrorCode,
    finding: string,
    advice: string,
    flag?: OperatorFlag,
    options?: ErrorOptions,
  ) {
    const lift = flag === undefined ? "" : `; to ${consequences[flag]}, start once with --${flag}`;
    super(code, "stop", `${finding}; ${advice}${lift}`, options);
    this.flag = flag;
    this.finding = finding;
  }
}

const consequences: Readonly<Record<OperatorFlag, string>> = {
  "from-beginning": "compute again what the log still holds",
  "accept-gap": "go on without them",
  "accept-new-log": "begin anew at the start of the log as it is",
  "retry-schemas": "try their records again",
  "accept-dead-letters": "let those that are in the log become dead letters",
};

/** A bad deploy, or the wrong topic: the record at `offset` would be one dead letter too many. */
export class TooManyDeadLetters extends OperatorHalt {
  readonly offset: number;

  constructor(partition: number, offset: number, reason: string, remedy: string) {
    const finding = `partition ${partition}: more than 1 % of recent records cannot be processed, the last one at offset ${offset} because of ${reason}`;
    const advice = `${remedy}, then start again`;
    super("DEAD_LETTER_BREAKER", finding, advice, "accept-dead-letters");
    this.offset = offset;
  }
}

type Place = Pick<PartitionInfo, "topic"> & { readonly partition: number };

const where = ({ topic, partition }: Place): string => `${topic} partition ${partition}`;

/** `finding` says how it is known that the log holds other records than the ones that were processed. */
export function logReplaced(place: Place, finding: string, advice: string): OperatorHalt {
  return new OperatorHalt("LOG_REPLACED", `${where(place)}: ${finding}`, advice, "accept-new-log");
}

/** Of a topic that was deleted and made again. */
export const readTheNewOne = "start another PROCESSOR_GROUP to read the new one";

/** Retention was faster: the records from `nextOffset` to `low` - 1 are gone. */
export function recordsExpired(place: Place, nextOffset: number, low: number): OperatorHalt {
  const finding = `${where(place)}: ${low - nextOffset} records were removed by retention before they were processed (offsets ${nextOffset} to ${low - 1})`;
  return new OperatorHalt("RECORDS_EXPIRED", finding, "their counts are lost", "accept-gap");
}

export function noReadableCheckpoint(place: Place): OperatorHalt {
  const finding = `${where(place)}: none of its checkpoints can be read`;
  return new OperatorHalt("STATE_LOST", finding, "look at CHECKPOINT_URL", "from-beginning");
}

export function checkpointsGone(place: Place, committed: number): OperatorHalt {
  const finding = `${where(place)}: the group committed offset ${committed} but CHECKPOINT_URL holds no checkpoint, and the log no longer begins at 0`;
  const advice = "if this is another host or a lost volume, bring the checkpoints back";
  return new OperatorHalt("STATE_LOST", finding, advice, "from-beginning");
}

/** Of a processor that is told to make no dead letters of it. */
export function schemaUnknown(
  partition: number,
  schemaId: number,
  patienceMs: number,
): OperatorHalt {
  const finding = `partition ${partition}: the registry has not known schema id ${schemaId} for ${patienceMs / 1_000} s`;
  const advice =
    "bring the schema back under this id, look at SCHEMA_REGISTRY_URL, or make dead letters of its records with UNKNOWN_SCHEMA=dead-letter";
  return new OperatorHalt("SCHEMA_UNKNOWN", finding, advice);
}

/** The frame is whole and its content is not: a bug, or somebody wrote it by hand. */
export function contentUnreadable(place: Place, seq: number, cause: StreamError): OperatorHalt {
  const finding = `${where(place)}: checkpoint ${seq} contradicts itself (${cause.message})`;
  const advice = "look at CHECKPOINT_URL";
  return new OperatorHalt("CHECKPOINT_UNREADABLE", finding, advice, "from-beginning", { cause });
}

/** @param changes "WINDOW_SIZE was 1m and is 2m", …; empty where the checkpoint is too old to say */
export function settingsChanged(
  place: Place,
  seq: number,
  job: string,
  changes: readonly string[],
): OperatorHalt {
  const made = `checkpoint ${seq} of partition ${place.partition} was made with other settings of ${job}`;
  const named =
    changes.length === 0 ? "(window, slide, delay, lateness or sums)" : `(${changes.join(", ")})`;
  const advice = "set them back, or start another PROCESSOR_GROUP";
  return new OperatorHalt("STATE_INCOMPATIBLE", `${made} ${named}`, advice, "from-beginning");
}

/** Newer code wrote it: what it means is not known here, so there is no flag for it. */
export function codeIsOlder(place: Place, seq: number, wrote: string, own: string): OperatorHalt {
  const finding = `checkpoint ${seq} of partition ${place.partition} was written by other code (${wrote}, this is ${own})`;
  return new OperatorHalt("STATE_INCOMPATIBLE", finding, "run that version");
}
