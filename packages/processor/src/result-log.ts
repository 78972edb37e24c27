import { milestones } from "@adstream/engine/milestones";
import type { ResultLog, TaskOutput } from "@adstream/engine/ports";
import {
  type OutputRecord,
  type OutputTopics,
  resultRecords,
  type ResultEncoder,
  setAsideRecords,
} from "./output-records.ts";

/** Rows encoded before they are handed over: bounds memory and lets heartbeats through in between. */
const rowsPerPublish = 2_000;

/** Sends records and resolves when all are acknowledged. */
export type Publish = (records: readonly OutputRecord[]) => Promise<void>;

/** Results, dead letters and late records of tasks, encoded and published in that order. */
export function resultLog(
  encoder: ResultEncoder,
  topics: OutputTopics,
  publish: Publish,
): ResultLog {
  return {
    async publish(output: TaskOutput) {
      const { results, deadLetters, late } = output;
      for (let row = 0; row < results.count; row += rowsPerPublish) {
        await publish(resultRecords(encoder, topics.results, output, row, row + rowsPerPublish));
      }
      if (deadLetters.length + late.length > 0) await publish(setAsideRecords(topics, output));
      milestones.acknowledged.publish(undefined);
    },
  };
}
