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
const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(checks).every(([name, check]) => check(value[name]));

const identity = {
  job: text,
  partition: count,
  seq: count,
  writer: fields({ instance: text, nonce: text, at: text }),
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
  }),
  watermark: orNull(whole),
  counts: fields({ in: count, late: count, dead: count }),
  decisions: listOf(fields({ offset: count, watermark: whole, why: text })),
  stateBytes: count,
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

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
