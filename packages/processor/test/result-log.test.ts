import { RecordBlocks } from "@adstream/kafka/record-blocks";
import { expect, test } from "vitest";
import { adStats } from "../src/jobs/ad-stats.ts";
import { resultBytes } from "../src/result-bytes.ts";
import { resultLog } from "../src/result-log.ts";
import { resultColumns, writtenBytes } from "./fixture/result-columns.ts";

const topics = { events: "events", results: "results", deadLetters: "dead", late: "late" };

const text = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("latin1");

/** Results of one task, more than are handed over at once, under keys so long that blocks fill. */
function outputOf(partition: number, count: number) {
  const rows = Array.from({ length: count }, (_, row) => ({
    key: `${partition}-${row}-`.padEnd(250, "x"),
    windowStart: 0,
    windowEnd: 60_000,
    version: row,
    status: 0,
    records: 1,
    sums: [1, 2, 3],
    maxima: [],
    maxEventTime: 1,
    maxRecordTime: 1,
  }));
  return { partition, jobEpoch: 1, results: resultColumns(rows), deadLetters: [], late: [] };
}

test("results of several tasks that wait for full blocks are all published, each once and whole", async () => {
  const sent: string[] = [];
  const publisher = {
    publish: (): Promise<void> => Promise.resolve(),
    openBlocks: (topic: string) => Promise.resolve(new RecordBlocks(topic, 1)),
    async publishBlocks(blocks: RecordBlocks) {
      for (const { key, value } of blocks.outgoing()) {
        sent.push(`${text(key)} ${text(value ?? "null")}`);
      }
      await new Promise((resolve) => setImmediate(resolve));
      blocks.clear();
    },
  };
  const outputs = Array.from({ length: 5 }, (_, partition) => outputOf(partition, 3_000));
  const log = resultLog(resultBytes(adStats, 7), topics, publisher);
  await Promise.all(outputs.map((output) => log.publish(output)));
  const write = resultBytes(adStats, 7);
  const expected = outputs.flatMap((output) =>
    Array.from({ length: output.results.count }, (_, row) => {
      const { key, value } = writtenBytes(write(output, row));
      return `${text(key)} ${text(value)}`;
    }),
  );
  expect(sent.length).toBe(expected.length);
  expect(new Set(sent)).toEqual(new Set(expected));
});
