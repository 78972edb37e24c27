import { operatorFlags as flags } from "@adstream/engine/operator-halt";
import { readEnvironment } from "@adstream/service/environment";
import { readFlags } from "@adstream/service/flags";
import { expect, test } from "vitest";
import { z } from "zod";
import { auditRecord } from "../src/audit-log.ts";
import { operatorEnvironment, operatorFlags, operatorOf } from "../src/operator-flags.ts";

const environment = z.object(operatorEnvironment);
const noon = Date.parse("2026-01-31T12:00:00Z");

/** The flags that are permitted at `wallMs`. */
function permitted(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  wallMs = noon,
): string[] {
  const { overrides, problems } = readFlags(argv, operatorFlags);
  const config = readEnvironment(environment, { env, file: null, overrides, problems });
  const operator = operatorOf(config, { wallMs: () => wallMs }, async () => {});
  return flags.filter((flag) => operator.permits(flag));
}

test("nothing is permitted unless somebody says so", () => {
  expect(permitted([], {})).toEqual([]);
});

test.each(flags)("--%s permits that and nothing else", (flag) => {
  expect(permitted([`--${flag}`], {})).toEqual([flag]);
});

test("a time in the environment permits until then", () => {
  const env = { ACCEPT_GAP: "2026-01-31T12:00:00Z" };
  expect(permitted([], env, noon - 1)).toEqual(["accept-gap"]);
  expect(permitted([], env, noon)).toEqual([]);
});

test.each(["yes", "1", "tomorrow", "12:00"])("%s permits nothing and is refused", (text) => {
  expect(() => permitted([], { FROM_BEGINNING: text })).toThrow(/must be off, true .* or a time/);
});

test("a decision about dead letters names the records that may be some, and none as missing", () => {
  const decision = {
    flag: "accept-dead-letters",
    topic: "events",
    partition: 3,
    nextOffset: 100,
    missing: null,
    tolerated: { from: 100, to: 999 },
    jobEpoch: 2,
    why: "more than 1 % of recent records cannot be processed",
    at: "2026-01-31T12:00:00.000Z",
    instance: "host-1",
  } as const;
  const { value } = auditRecord("audit", "group/job", decision);
  const wanted = { decision: "accept-dead-letters", from: 100, to: 999, count: null };
  expect(JSON.parse(String(value))).toMatchObject(wanted);
});

test("a decision is JSON under the key of its task", () => {
  const decision = {
    flag: "accept-gap",
    topic: "events",
    partition: 3,
    nextOffset: 107,
    missing: { from: 100, to: 106, count: 7 },
    jobEpoch: 2,
    why: "7 records were removed",
    at: "2026-01-31T12:00:00.000Z",
    instance: "host-1",
  } as const;
  const record = auditRecord("audit", "group/job", decision);
  expect([record.topic, record.key]).toEqual(["audit", "group/job/3"]);
  expect(JSON.parse(String(record.value))).toEqual({
    decision: "accept-gap",
    job: "group/job",
    topic: "events",
    partition: 3,
    next_offset: 107,
    from: 100,
    to: 106,
    count: 7,
    job_epoch: 2,
    why: "7 records were removed",
    at: "2026-01-31T12:00:00.000Z",
    instance: "host-1",
  });
});
