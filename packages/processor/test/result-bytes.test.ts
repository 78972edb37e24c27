import { documentId } from "@adstream/contracts/documents";
import { resultSchema } from "@adstream/contracts/result-shape";
import { resultStatuses } from "@adstream/engine/results";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { adStats } from "../src/jobs/ad-stats.ts";
import { campaignCounts } from "../src/jobs/campaign-counts.ts";
import { resultBytes } from "../src/result-bytes.ts";
import { resultColumns, type ResultRow, writtenBytes } from "./fixture/result-columns.ts";

const time = fc.integer({ min: -8.64e15, max: 8.64e15 });
const long = fc.maxSafeNat();
const rowOf = (sums: fc.Arbitrary<number[]>, maxima: fc.Arbitrary<number[]>) =>
  fc.record<ResultRow>({
    key: fc.string({ unit: "binary", maxLength: 60 }),
    windowStart: time,
    windowEnd: time,
    version: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    status: fc.nat(resultStatuses.length - 1),
    records: long,
    sums,
    maxima,
    maxEventTime: time,
    maxRecordTime: fc.oneof(time, fc.constant(-1)),
  });
const double = fc.double({ noNaN: true });
const adStatsRow = rowOf(fc.tuple(long, long, double), fc.constant([]));
const campaignRow = rowOf(fc.tuple(long, long, long), fc.tuple(long));
const epoch = fc.nat(2 ** 15 - 1);

/** What avsc makes of it. */
function expected(
  { key, windowStart, windowEnd, version, status, records, ...row }: ResultRow,
  jobEpoch: number,
) {
  return {
    window_start: windowStart,
    window_end: windowEnd,
    slot: 70_000,
    version: (BigInt(jobEpoch) << 48n) | BigInt(version),
    status: resultStatuses[status],
    count: records,
    max_event_time: row.maxEventTime,
    max_record_time: row.maxRecordTime,
    key,
  };
}

test.each([
  {
    job: adStats,
    arbitrary: adStatsRow,
    figures: ({ key, sums: [total_clicks, total_views, total_cost] }: ResultRow) => {
      return { ad_id: key, total_clicks, total_views, total_cost };
    },
  },
  {
    job: campaignCounts,
    arbitrary: campaignRow,
    figures: ({ key, sums: [views, clicks, purchases], maxima: [max] }: ResultRow) => {
      return { campaign_id: key, views, clicks, purchases, max_produce_time: max };
    },
  },
])("a result of $job.name is what avsc writes, under the id of its document", (given) => {
  const { job, arbitrary, figures } = given;
  const write = resultBytes(job, 258);
  const { encode } = avroCodec(resultSchema(job.result), { bigintFields: ["version"] });
  const rows = fc.array(arbitrary, { minLength: 1, maxLength: 5 });
  const same = (given: ResultRow[], jobEpoch: number): void => {
    const results = resultColumns(given);
    const output = { partition: 70_000, jobEpoch, results, deadLetters: [], late: [] };
    for (const [at, row] of given.entries()) {
      const { key, value } = writtenBytes(write(output, at));
      const result = { ...expected(row, jobEpoch), ...figures(row) };
      expect(value).toEqual(frame(258, encode(result)));
      expect(key).toEqual(Buffer.from(documentId(row.windowStart, row.key)));
    }
  };
  fc.assert(fc.property(rows, epoch, same));
});

test("a figure that is no long is refused, and named", () => {
  const [row] = fc.sample(adStatsRow, 1);
  if (row === undefined) throw new Error("no row");
  const results = resultColumns([{ ...row, sums: [1, 2.5, 3] }]);
  const output = { partition: 0, jobEpoch: 0, results, deadLetters: [], late: [] };
  expect(() => resultBytes(adStats, 1)(output, 0)).toThrow(/total_views of a result is 2.5/);
});
