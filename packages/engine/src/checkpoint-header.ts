import type { Frame } from "./checkpoint.ts";

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const whole: Check = (value) => Number.isSafeInteger(value);
const count: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const digest: Check = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const flag: Check = (value) => typeof value === "boolean";
const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(checks).every(([name, check]) => check(value[name]));

const identity = {
  job: text,
  partition: count,
  seq: count,
  writer: fields({
    instance: text,
    nonce: text,
    at: text,
    memberId: optional(text),
    startedAt: optional(text),
  }),
};
const decided = fields({
  flag: text,
  topic: text,
  partition: count,
  nextOffset: count,
  missing: orNull(fields({ from: count, to: count, count })),
  tolerated: optional(fields({ from: count, to: count })),
  jobEpoch: count,
  why: text,
  at: text,
  instance: text,
});
/** Absent in checkpoints of older code. */
const notes = {
  settings: optional((value) => isRecord(value) && Object.values(value).every(text)),
  timing: optional(
    fields({
      watermarkDelayMs: count,
      allowedLatenessMs: count,
      maxFutureMs: count,
      maxKeys: optional(count),
    }),
  ),
  begunWith: optional(count),
  operator: optional(listOf(decided)),
  savepoint: optional(flag),
  supersedes: optional(fields({ above: count, sinceMs: whole })),
};
const claim = fields({ ...identity, base: count });
const checkpoint = fields({
  ...identity,
  jobEpoch: count,
  topology: text,
  stateSchemaVersion: count,
  codeVersion: count,
  log: fields({
    clusterId: text,
    topic: text,
    partitions: count,
    nextOffset: count,
    canary: orNull(fields({ offset: count, recordTime: whole, crc: count })),
    low: optional(count),
    high: optional(count),
  }),
  watermark: orNull(whole),
  counts: fields({ in: count, late: count, dead: count, duplicates: count }),
  decisions: listOf(fields({ offset: count, watermark: whole, why: text })),
  stateBytes: count,
  delta: optional(fields({ seq: count, digest })),
  ...notes,
});

/** The checksum already proves that a writer of ours made it; this guards against writers of other versions. */
export function isHeader(value: unknown): value is Frame["header"] {
  if (!isRecord(value)) return false;
  if (value["kind"] === "claim") return claim(value);
  return value["kind"] === "checkpoint" && checkpoint(value);
}

/** State version of a header of whatever shape; 0 when it has none. */
export function stateVersionOf(header: unknown): number {
  return isRecord(header) ? Number(header["stateSchemaVersion"] ?? 0) : 0;
}

/** A header of an earlier state version with the fields that were added since: version 1 counted no duplicates. */
export function migrateHeader(header: unknown): unknown {
  if (stateVersionOf(header) !== 1 || !isRecord(header)) return header;
  const { counts } = header;
  return isRecord(counts) ? { ...header, counts: { ...counts, duplicates: 0 } } : header;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
