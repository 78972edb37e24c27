import { auditKey, type AuditRecord } from "@adstream/contracts/audit-record";
import type { OperatorDecision } from "@adstream/engine/operator";
import type { OutputRecord } from "./output-records.ts";

/** A decision about a task of `job` as a record of the audit topic. */
export function auditRecord(
  topic: string,
  job: string,
  { flag, missing, tolerated, nextOffset, jobEpoch, ...rest }: OperatorDecision,
): OutputRecord {
  const range = missing ?? tolerated;
  const record: AuditRecord = {
    decision: flag,
    job,
    topic: rest.topic,
    partition: rest.partition,
    next_offset: nextOffset,
    from: range?.from ?? null,
    to: range?.to ?? null,
    count: missing?.count ?? null,
    job_epoch: jobEpoch,
    why: rest.why,
    at: rest.at,
    instance: rest.instance,
  };
  return { topic, key: auditKey(record), value: Buffer.from(JSON.stringify(record)) };
}
