import type { CheckpointHeader } from "./checkpoint.ts";
import { logReplaced, type OperatorHalt, readTheNewOne, recordsExpired } from "./operator-halt.ts";
import type { PartitionInfo } from "./ports.ts";

type Checked = Pick<CheckpointHeader, "partition" | "log">;

/** What speaks against going on from a checkpoint, or from a task in memory, in the log as it is now. */
export function logProblem(
  info: PartitionInfo,
  { partition, log }: Checked,
): OperatorHalt | undefined {
  const place = { topic: info.topic, partition };
  if (log.clusterId !== info.clusterId) {
    const finding = `the checkpoint is from Kafka cluster ${log.clusterId}, this one is ${info.clusterId}`;
    const advice = "point KAFKA_BROKERS at the right cluster or start another PROCESSOR_GROUP";
    return logReplaced(place, finding, advice);
  }
  // Kafka only ever adds partitions.
  if (log.partitions > info.partitions) {
    const finding = `the topic had ${log.partitions} partitions at the checkpoint and has now ${info.partitions}: it was deleted and made again`;
    return logReplaced(place, finding, readTheNewOne);
  }
  if (log.nextOffset > info.high) {
    const finding = `the checkpoint is at offset ${log.nextOffset}, the log ends at ${info.high}: the topic was deleted and made again`;
    return logReplaced(place, finding, readTheNewOne);
  }
  if (log.nextOffset < info.low) return recordsExpired(place, log.nextOffset, info.low);
  return undefined;
}

/** @throws {OperatorHalt} LOG_REPLACED, RECORDS_EXPIRED */
export function checkLog(info: PartitionInfo, checked: Checked): void {
  const problem = logProblem(info, checked);
  if (problem !== undefined) throw problem;
}
