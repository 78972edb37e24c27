import type { Collection } from "mongodb";
import { type FoundDocument, logPosition } from "./compare-window.ts";
import type { Decision } from "./count-partition.ts";

/** Starts of windows, epoch ms; from inclusive, to exclusive. */
export type WindowRange = { readonly from: number; readonly to: number };

/** The documents of a collection as the verifier reads them. */
export type Documents = {
  /** In the order of their windows' starts; every document where no range is given. */
  read(range?: WindowRange): AsyncIterable<FoundDocument>;
  /** First and last start of a window; undefined where there is none. */
  extent(): Promise<WindowRange | undefined>;
};

const batchSize = 1_000;

export function mongoDocuments(collection: Collection): Documents {
  return {
    async *read(range) {
      const cursor = collection.find(range === undefined ? {} : within(range), {
        sort: { "window.start": 1 },
        allowDiskUse: true,
        useBigInt64: true,
        batchSize,
        projection: { updated_at: 0 },
      });
      for await (const document of cursor) yield document;
    },
    async extent() {
      const outermost = async (direction: 1 | -1): Promise<number | undefined> => {
        const [document] = await collection
          .find({ "window.start": { $type: "date" } })
          .sort({ "window.start": direction })
          .limit(1)
          .toArray();
        const start: unknown = document?.["window"]?.start;
        return start instanceof Date ? start.getTime() : undefined;
      };
      const [from, to] = [await outermost(1), await outermost(-1)];
      return from === undefined || to === undefined ? undefined : { from, to };
    },
  };
}

function within({ from, to }: WindowRange): { "window.start": { $gte: Date; $lt: Date } } {
  return { "window.start": { $gte: new Date(from), $lt: new Date(to) } };
}

/**
 * The idle decisions of each partition, which the log does not hold. Each closed a window, and a slot closed by one has
 * an odd version: 2n + 1 when it was taken before offset n. Where lateness is allowed and every slot of the last window
 * it closed was corrected later, a decision goes unseen.
 */
export async function decisionsIn(
  documents: AsyncIterable<FoundDocument>,
): Promise<Map<number, Decision[]>> {
  const found = new Map<number, Map<number, number>>();
  for await (const { window, slots } of documents) {
    const end: unknown = window instanceof Object ? Reflect.get(window, "end") : undefined;
    if (!(end instanceof Date) || !(slots instanceof Object)) continue;
    for (const [name, slot] of Object.entries(slots)) {
      const version: unknown = slot instanceof Object ? Reflect.get(slot, "version") : undefined;
      const position = logPosition(version);
      if (!/^p\d+$/.test(name) || position % 2 !== 1) continue;
      const partition = Number(name.slice(1));
      const decisions = found.get(partition) ?? new Map<number, number>();
      found.set(partition, decisions);
      const nextOffset = (position - 1) / 2;
      decisions.set(nextOffset, Math.max(end.getTime(), decisions.get(nextOffset) ?? -Infinity));
    }
  }
  const inOrder = (decisions: ReadonlyMap<number, number>): Decision[] =>
    [...decisions]
      .map(([nextOffset, watermark]) => ({ nextOffset, watermark }))
      .sort((a, b) => a.nextOffset - b.nextOffset);
  return new Map([...found].map(([partition, decisions]) => [partition, inOrder(decisions)]));
}
