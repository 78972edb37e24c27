import type { Log } from "@adstream/kafka/kafkajs-log";

/** From here on somebody has to see to it: as much time again is left until results are lost. */
const alarmRatio = 0.5;

/** Watches how near each partition is to losing results that are not in MongoDB yet. */
export interface RetentionAlarm {
  /**
   * Warns of partitions that passed half of the retention since the last call, and says when they are back.
   * @param ages of the next result of each partition, ms
   * @returns share of the retention that is used up, by partition; 0 on a topic that keeps its records for ever
   */
  observe(ages: ReadonlyMap<number, number>): ReadonlyMap<number, number>;
}

/** @param retentionMs Infinity: records are kept for ever */
export function createRetentionAlarm(
  topic: string,
  retentionMs: number,
  log: Pick<Log, "warn" | "info">,
): RetentionAlarm {
  const alarmed = new Set<number>();
  return {
    observe(ages) {
      const ratios = new Map(
        [...ages].map(([partition, ageMs]) => [partition, ageMs === 0 ? 0 : ageMs / retentionMs]),
      );
      for (const partition of alarmed) if (!ratios.has(partition)) alarmed.delete(partition);
      for (const [partition, usedRatio] of ratios) {
        const high = usedRatio >= alarmRatio;
        if (high === alarmed.has(partition)) continue;
        const fields = { topic, partition, usedRatio: Number(usedRatio.toFixed(3)), retentionMs };
        if (high) {
          alarmed.add(partition);
          log.warn(fields, "results wait for MongoDB for more than half of their retention");
        } else {
          alarmed.delete(partition);
          log.info(fields, "results wait for less than half of their retention again");
        }
      }
      return ratios;
    },
  };
}
