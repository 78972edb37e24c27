import { milestones } from "@adstream/engine/milestones";
import type { ResultLog, TaskOutput } from "@adstream/engine/ports";
import type { Publisher } from "@adstream/kafka/publisher";
import { openResultBlocks, type ResultBlocks } from "./result-blocks.ts";
import { type OutputTopics, setAsideRecords } from "./output-records.ts";
import type { ResultBytes } from "./result-bytes.ts";

/** Rows encoded before they are handed over: bounds memory and lets heartbeats through in between. */
const rowsPerPublish = 2_000;

/** Results, dead letters and late records of tasks, encoded and published in that order. */
export function resultLog(
  write: ResultBytes,
  topics: OutputTopics,
  publisher: Pick<Publisher, "publish" | "openBlocks" | "publishBlocks">,
): ResultLog {
  let open: Promise<ResultBlocks> | undefined;

  /** Not before there is a result: a topic that is missing is named where it is needed. */
  function openBlocks(): Promise<ResultBlocks> {
    open ??= openResultBlocks(publisher, topics.results).catch((error: unknown) => {
      open = undefined;
      throw error;
    });
    return open;
  }

  async function publishResults(output: TaskOutput): Promise<void> {
    const { count } = output.results;
    const blocks = await openBlocks();
    for (let row = 0; row < count; row++) {
      // Before it is written: all tasks write to the same memory.
      while (blocks.full) await blocks.flushed();
      blocks.append(write(output, row));
      if ((row + 1) % rowsPerPublish === 0) await blocks.flushed();
    }
    await blocks.flushed();
  }

  return {
    async publish(output: TaskOutput) {
      const { results, deadLetters, late } = output;
      if (results.count > 0) await publishResults(output);
      if (deadLetters.length + late.length > 0) {
        await publisher.publish(setAsideRecords(topics, output));
      }
      milestones.acknowledged.publish(undefined);
    },
  };
}
