/** What the run loop does with a failure; decided where it is thrown, never by parsing messages. */
export type Disposition = "retry" | "dead-letter" | "stop";

/** Process exit codes of every service (design section 5). */
export const exitCodes = {
  clean: 0,
  failed: 1,
  config: 64,
  data: 65,
  internal: 70,
  operator: 78,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Every code a `StreamError` can carry, with the exit code of a process that stops because of it. */
export const errorCodes = {
  /** A server did not answer, or answered that it cannot now. Retried with backoff. */
  SERVER_UNAVAILABLE: exitCodes.internal,
  /** A publish was not acknowledged within its deadline: what the log holds is unknown, so start over. */
  PUBLISH_DEADLINE: exitCodes.internal,
  /** A record that no topic takes; its owner publishes something smaller in its place. */
  RECORD_TOO_LARGE: exitCodes.internal,
  /** The checkpoint store did not say that it took a write: it may be there, or get there yet. The checkpoint is tried again. */
  CHECKPOINT_UNWRITABLE: exitCodes.internal,
  /** The checkpoint store did not take a write and never will: nothing of it is on its way any more. */
  CHECKPOINT_REFUSED: exitCodes.internal,
  /** A stored checkpoint fails its checksums, is torn, or is of an unknown format. */
  CHECKPOINT_UNREADABLE: exitCodes.operator,
  /** The path of the checkpoint store cannot give create-if-absent. */
  CHECKPOINT_STORE_UNFIT: exitCodes.config,
  /** No usable state although the log and the group say there was one. */
  STATE_LOST: exitCodes.operator,
  /** The log holds something else than the one the checkpoint was made from. */
  LOG_REPLACED: exitCodes.operator,
  /** The registry does not know a schema id, and the operator wants to decide what becomes of its records. */
  SCHEMA_UNKNOWN: exitCodes.operator,
  /** Retention removed records that were never processed. */
  RECORDS_EXPIRED: exitCodes.operator,
  /** Offsets jumped while running: records would be skipped silently. */
  OFFSET_GAP: exitCodes.internal,
  /** The wall clock went back by more than the client of the log bears. */
  CLOCK_STEPPED_BACK: exitCodes.internal,
  /** A partition with records to read does not get on, and nothing says why. */
  STALLED: exitCodes.internal,
  /** State of other window settings, or of newer code. */
  STATE_INCOMPATIBLE: exitCodes.operator,
  /** More event ids within the horizon than a task may remember. */
  DEDUPLICATION_FULL: exitCodes.operator,
  /** Too many records in a row cannot be processed: a bad deploy must not drain a topic. */
  DEAD_LETTER_BREAKER: exitCodes.data,
  /** The registry refuses the schema. */
  SCHEMA_INCOMPATIBLE: exitCodes.operator,
  /** A schema this service does not read: names or types missing, or forbidden. */
  SCHEMA_UNREADABLE: exitCodes.operator,
  /** A value that does not fit its schema. */
  VALUE_UNREADABLE: exitCodes.data,
  /** Bytes that break the record-batch format or its checksum. */
  BATCH_CORRUPT: exitCodes.internal,
  /** Credentials or rights are refused by a server. */
  NOT_AUTHORIZED: exitCodes.config,
  /** A server does not take a value we were configured with. */
  SETTING_REFUSED: exitCodes.config,
  /** A topic that must exist does not. */
  TOPIC_MISSING: exitCodes.operator,
  /** A clean stop ran out of time: safe, but the next start has more to do. */
  DRAIN_CUT_SHORT: exitCodes.failed,
  /** An invariant of ours does not hold, or a library failed in a way we do not know. */
  INTERNAL: exitCodes.internal,
} as const;
export type ErrorCode = keyof typeof errorCodes;

/** A failure with its consequence. The text is one line for people: what failed, with which values. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  readonly code: ErrorCode;
  readonly disposition: Disposition;

  constructor(code: ErrorCode, disposition: Disposition, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.disposition = disposition;
  }

  /** What the process ends with when this error stops it. */
  get exitCode(): ExitCode {
    return errorCodes[this.code];
  }
}
