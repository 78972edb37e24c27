import { type JobName, jobNames } from "@adstream/contracts/jobs";
import { createColumns } from "@adstream/engine/columns";
import { createCursor, extendedBytes } from "@adstream/kafka/byte-cursor";
import { valueColumns } from "@adstream/kafka/event-projection";
import { composeJsonReader } from "@adstream/kafka/json-columns";
import { jobColumns } from "@adstream/processor/job-columns";
import { jobs } from "@adstream/processor/jobs/jobs";
import { eventDecoder } from "@adstream/verify/decode-event";
import { isSound } from "@adstream/verify/event";
import { jobs as countedJobs } from "@adstream/verify/jobs/jobs";
import * as fc from "fast-check";
import { expect, test } from "vitest";

/** Key, epoch ms and figures by name; "dead" where the event cannot be counted. */
type Reading = "dead" | readonly [string, number, Readonly<Record<string, number>>];

/** As the processor reads a value. */
function processed(name: JobName): (value: Buffer) => Reading {
  const { projection, sums, maxima } = jobColumns(jobs[name]);
  const read = composeJsonReader(projection);
  return (value) => {
    const columns = createColumns(valueColumns(projection), 1);
    const cursor = createCursor(value);
    cursor.end = value.length;
    if (read(cursor, columns, 0) !== 0) return "dead";
    const [start = 0, length = 0] = [columns.keyStart[0], columns.keyLength[0]];
    const key = Buffer.from(extendedBytes(cursor).subarray(start, start + length)).toString();
    const figures = [...sums, ...maxima].map((figure, column) => {
      return [figure, columns.values[column]?.[0] ?? Number.NaN] as const;
    });
    return [key, columns.eventTime[0] ?? 0, Object.fromEntries(figures)];
  };
}

/** As the audit reads it. */
function audited(name: JobName): (value: Buffer) => Promise<Reading> {
  const job = countedJobs[name];
  const decode = eventDecoder({ job, format: "json", registry: { url: "" }, withIds: false });
  return async (value) => {
    const event = await decode(value);
    return event === undefined || !isSound(event) ? "dead" : [event.key, event.time, event.figures];
  };
}

const longText = `"${"é".repeat(128)}"`;
const texts = ['"c"', '""', '"\\u00e9"', '"é"', '"\\ud800"', '"a\\nb"', longText, `${longText}x`]
  .concat(['"view"', '"click"', '"purchase"', '"vi\\u0065w"', "null", "7", "true", "[]", "{}"])
  .concat(`"x${longText.slice(1)}`);
const numbers = ["0", "-0", "1", "-1", "1e3", "1.5", "1E400", "-1e-5", "0.1e1", "2147483648"]
  .concat(["1769860800000", "1769860800000999999", "-1769860800000000001", "-999999", "-1000000"])
  .concat(["8640000000000000", "8640000000000001", "8640000000000000999999", "1.7698608e18"])
  .concat(["8640000000000001000000", "12345678901234567890123", "null", '"1"', "01", "1.", "-"]);
const others = [
  '"user_id":"ü"',
  '"__proto__":1',
  '"x":{"cost":[1,{"campaign_id":null}]}',
  '"y":"\\u12"',
].concat(['"event\\u005ftype":"view"', '"constructor":{}', '"ad_id ":1', '"z":1e5']);

/** What each job reads, with values that are good, and what else may stand there. */
const fields: Readonly<Record<JobName, readonly (readonly [string, string, string[]])[]>> = {
  "ad-stats": [
    ["ad_id", '"a"', texts],
    ["timestamp", "1769860800000", numbers],
    ["clicks", "1", numbers],
    ["views", "2", numbers],
    ["cost", "0.25", numbers],
  ],
  "campaign-counts": [
    ["campaign_id", '"c"', texts],
    ["event_type", '"click"', texts],
    ["event_time_ns", "1769860800000999999", numbers],
    ["produce_time", "1769860800000", numbers],
  ],
};

function valueOf(name: JobName): fc.Arbitrary<Buffer> {
  const member = ([field, good, odd]: readonly [string, string, string[]]) =>
    fc
      .oneof(
        { weight: 8, arbitrary: fc.constant([good]) },
        { weight: 3, arbitrary: fc.array(fc.constantFrom(good, ...odd), { maxLength: 2 }) },
      )
      .map((values) => values.map((value) => `"${field}":${value}`));
  const rest = fc.array(fc.constantFrom(...others), { maxLength: 2 });
  const text = fc
    .tuple(fc.tuple(...fields[name].map(member)), rest, fc.constantFrom(",", " ,\n"))
    .map(([known, more, comma]) => `{${[...more, ...known.flat()].join(comma)}}`);
  const damage = fc.option(fc.tuple(fc.nat(1_000), fc.nat(255)), { freq: 3 });
  return fc.tuple(text, damage).map(([json, broken]) => {
    const value = Buffer.from(json);
    if (broken !== null) value[broken[0] % value.length] = broken[1];
    return value;
  });
}

test.each(jobNames.map((name) => [name] as const))(
  "processor and audit read any JSON alike, though they share no code: %s",
  async (name) => {
    const [process, audit] = [processed(name), audited(name)];
    const seen = { dead: 0, counted: 0 };
    await fc.assert(
      fc.asyncProperty(valueOf(name), async (value) => {
        const reading = process(value);
        seen[reading === "dead" ? "dead" : "counted"] += 1;
        expect(await audit(value)).toEqual(reading);
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(seen.dead, seen.counted)).toBeGreaterThan(100);
  },
);
