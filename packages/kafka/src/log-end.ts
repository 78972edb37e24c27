import type { PartitionInfo } from "@adstream/engine/ports";

type EndSource = {
  logEnd(partition: number): number | undefined;
  describe(partition: number): Promise<Pick<PartitionInfo, "high">>;
};

/**
 * Next offset to be written to a partition, asked of the broker as well: a reader whose fetches no longer return goes on
 * believing that the last one had shown the end.
 *
 * @returns undefined when nobody can say now; never rejects
 */
export async function newestLogEnd(
  source: EndSource,
  partition: number,
): Promise<number | undefined> {
  const asked = await source.describe(partition).then(
    ({ high }) => high,
    () => undefined,
  );
  const fetched = source.logEnd(partition);
  return fetched === undefined || asked === undefined
    ? (fetched ?? asked)
    : Math.max(fetched, asked);
}
