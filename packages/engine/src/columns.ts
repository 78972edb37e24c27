/** Why a record cannot be processed; 0 in `RecordColumns.rejected` means it can. Never renumber: checkpoints and dead letters hold them. */
export const rejectReasons = [
  "accepted",
  "null value",
  "short frame",
  "wrong magic byte",
  "unknown schema id",
  "unreadable schema",
  "truncated or malformed Avro",
  "trailing bytes",
  "length out of bounds",
  "key empty or longer than 256 bytes",
  "key not UTF-8",
  "number not finite",
  "number out of range",
  "timestamp out of range",
  "event time ahead of the record",
  "event id empty or longer than 256 bytes",
  "event id not UTF-8",
  "too many keys",
  "value not among those declared",
  "malformed JSON",
  "JSON value of another type",
  "number not whole",
] as const;
export type RejectReason = (typeof rejectReasons)[number];

/** Number of a reason in `RecordColumns.rejected`. */
export function rejectCode(reason: RejectReason): number {
  return rejectReasons.indexOf(reason);
}

export const maxKeyBytes = 256;
export const maxEventIdBytes = 256;

/**
 * Records of one record batch as columns: what a decoder fills and an operator reads.
 *
 * Row i of every column is the same record; rows are in offset order. The columns are reused for the next
 * batch: whoever wants to keep something copies it. `bytes` holds every key and value that the positions
 * point into (the fetched batch itself, or its decompressed body).
 */
export type RecordColumns = {
  count: number;
  bytes: Uint8Array;
  /** Offset in the log; exact up to 2^53. */
  offset: Float64Array;
  /** The record's own Kafka timestamp, epoch ms; -1 where it has none. */
  recordTime: Float64Array;
  /** Number of a `rejectReasons` entry; the event columns of a rejected row mean nothing. */
  rejected: Uint8Array;
  /** Event time, epoch ms, an integer. */
  eventTime: Float64Array;
  /** Grouping key: 1 to `maxKeyBytes` bytes of valid UTF-8 within `bytes`. */
  keyStart: Int32Array;
  keyLength: Int32Array;
  /** Names one delivery: up to `maxEventIdBytes` bytes of valid UTF-8 within `bytes`; length 0: it has no name. */
  idStart: Int32Array;
  idLength: Int32Array;
  /** One column per projected number, in the order of the projection. Finite. */
  values: Float64Array[];
  /** Key of the Kafka record within `bytes`; length -1: null. */
  recordKeyStart: Int32Array;
  recordKeyLength: Int32Array;
  /** Value of the Kafka record within `bytes`, frame included; length -1: null. */
  recordValueStart: Int32Array;
  recordValueLength: Int32Array;
  /** How far a decoder has read the value, and where the value ends; mean nothing to others. */
  unread: Int32Array;
  unreadEnd: Int32Array;
};

/** Empty columns for `capacity` records with `valueCount` projected numbers. */
export function createColumns(valueCount: number, capacity = 1024): RecordColumns {
  return {
    count: 0,
    bytes: new Uint8Array(0),
    offset: new Float64Array(capacity),
    recordTime: new Float64Array(capacity),
    rejected: new Uint8Array(capacity),
    eventTime: new Float64Array(capacity),
    keyStart: new Int32Array(capacity),
    keyLength: new Int32Array(capacity),
    idStart: new Int32Array(capacity),
    idLength: new Int32Array(capacity),
    values: Array.from({ length: valueCount }, () => new Float64Array(capacity)),
    recordKeyStart: new Int32Array(capacity),
    recordKeyLength: new Int32Array(capacity),
    recordValueStart: new Int32Array(capacity),
    recordValueLength: new Int32Array(capacity),
    unread: new Int32Array(capacity),
    unreadEnd: new Int32Array(capacity),
  };
}

/** Makes room for `capacity` records. Rows already filled are lost: call it before filling. */
export function reserveColumns(columns: RecordColumns, capacity: number): void {
  if (columns.offset.length >= capacity) return;
  const rows = Math.max(capacity, columns.offset.length * 2);
  Object.assign(columns, createColumns(columns.values.length, rows));
}

/** Removes the first row; only for the one record that is read twice after a restore. */
export function dropFirstRow(columns: RecordColumns): void {
  const { count } = columns;
  const rows = [
    columns.offset,
    columns.recordTime,
    columns.rejected,
    columns.eventTime,
    columns.keyStart,
    columns.keyLength,
    columns.idStart,
    columns.idLength,
    columns.recordKeyStart,
    columns.recordKeyLength,
    columns.recordValueStart,
    columns.recordValueLength,
    ...columns.values,
  ];
  for (const column of rows) column.copyWithin(0, 1, count);
  columns.count = count - 1;
}
