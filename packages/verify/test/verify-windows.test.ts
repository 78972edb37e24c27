import { describe, expect, test } from "vitest";
import type { CompareRules, FoundDocument } from "../src/compare-window.ts";
import {
  type CountedWindow,
  type CountRules,
  type LoggedRecord,
  PartitionCounter,
} from "../src/count-partition.ts";
import { adStats } from "../src/jobs/ad-stats.ts";
import { verifyWindows, type WindowsTally } from "../src/verify-windows.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const slideMs = 30_000;
const sizeMs = 60_000;
const rules: CountRules = {
  job: adStats,
  windowSizeMs: sizeMs,
  windowSlideMs: slideMs,
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
};

type Size = { readonly ads: number; readonly slides: number; readonly partitions: number };

/** Figures of an ad's event in a slide, as both the log and the documents are made of them. */
function figures(ad: number, slide: number) {
  const clicks = (ad * 7 + slide * 3) % 5;
  return { clicks, views: clicks + ((ad + slide) % 4), cost: ((ad + slide) % 8) / 8 };
}

/** The log of a partition: each of its ads once in each slide, on its way counted; `held` hears what is in memory. */
async function* windowsOf(
  partition: number,
  { ads, slides, partitions }: Size,
  held: (slots: number) => void,
): AsyncGenerator<CountedWindow> {
  const counter = new PartitionCounter(rules);
  let offset = 0;
  for (let slide = 0; slide < slides; slide++) {
    for (let ad = partition; ad < ads; ad += partitions) {
      const time = noon + slide * slideMs + (ad % 1_000);
      const { clicks, views, cost } = figures(ad, slide);
      const counted = { total_clicks: clicks, total_views: views, total_cost: cost };
      const event = { key: `ad_${ad}`, time, figures: counted };
      const record: LoggedRecord = { offset: offset++, recordTime: time, event };
      counter.add(record);
    }
    held(counter.heldSlots);
    yield* counter.takeExpired();
  }
  yield* counter.takeRest(offset);
}

/** The documents that belong to it, by another way: what an ad did in the two slides of a window, added up. */
async function* documentsOf(
  { ads, slides, partitions }: Size,
  spoil: (document: Record<string, unknown> & FoundDocument) => boolean = () => true,
): AsyncGenerator<FoundDocument> {
  for (let window = -1; window < slides; window++) {
    const start = noon + window * slideMs;
    const closed = start + sizeMs <= noon + (slides - 1) * slideMs - 10_000;
    for (let ad = 0; ad < ads; ad++) {
      const parts = [window, window + 1]
        .filter((slide) => slide >= 0 && slide < slides)
        .map((slide) => figures(ad, slide));
      const count = parts.length;
      const sum = (name: "clicks" | "views" | "cost") =>
        parts.reduce((total, part) => total + part[name], 0);
      const totals = {
        count,
        total_clicks: sum("clicks"),
        total_views: sum("views"),
        total_cost: sum("cost"),
      };
      const status = closed ? "final" : "early";
      const document = {
        _id: `${new Date(start).toISOString()}/ad_${ad}`,
        ad_id: `ad_${ad}`,
        window: { start: new Date(start), end: new Date(start + sizeMs) },
        ...totals,
        avg_clicks: totals.total_clicks / count,
        avg_views: totals.total_views / count,
        avg_cost: totals.total_cost / count,
        avg_cost_per_view: totals.total_views === 0 ? null : totals.total_cost / totals.total_views,
        status,
        slots: { [`p${ad % partitions}`]: { version: 2n, status, ...totals } },
      };
      if (spoil(document)) yield document;
    }
  }
}

async function verifySized(
  size: Size,
  spoil?: Parameters<typeof documentsOf>[1],
): Promise<{ tally: WindowsTally; mostHeld: number }> {
  const held = new Map<number, number>();
  let mostHeld = 0;
  const partitions = new Map(
    Array.from({ length: size.partitions }, (_, partition) => {
      const note = (slots: number): void => {
        held.set(partition, slots);
        mostHeld = Math.max(
          mostHeld,
          [...held.values()].reduce((sum, one) => sum + one, 0),
        );
      };
      return [partition, windowsOf(partition, size, note)];
    }),
  );
  const compare: CompareRules = {
    job: adStats,
    windowSizeMs: sizeMs,
    ends: new Map([...partitions.keys()].map((partition) => [partition, 10 ** 9])),
    allPartitions: true,
    early: true,
    onlyClosed: false,
  };
  const tally = await verifyWindows({ partitions, documents: documentsOf(size, spoil) }, compare);
  return { tally, mostHeld };
}

describe("a million windows", () => {
  const size = { ads: 500, slides: 2_000, partitions: 4 };
  const million = 500 * 2_001;

  /** Both faults in one run: a run takes seconds, and on a busy machine a minute. */
  test(
    "are compared with a bounded number in memory, and one count too many and one too few are found",
    { timeout: 300_000 },
    async () => {
      const spoiled = new Map([
        [`${new Date(noon + 1_234 * slideMs).toISOString()}/ad_77`, 1],
        [`${new Date(noon + 17 * slideMs).toISOString()}/ad_401`, -1],
      ]);
      const { tally, mostHeld } = await verifySized(size, (document) => {
        const by = spoiled.get(String(document._id));
        if (by !== undefined) document["count"] = Number(document["count"]) + by;
        return true;
      });
      expect(tally).toMatchObject({
        compared: million,
        equal: million - 2,
        different: 2,
        missing: 0,
        extra: 0,
        unfinished: 0,
      });
      expect(tally.differences.map(({ id, problems }) => [id, problems])).toEqual(
        [...spoiled].toReversed().map(([id, by]) => {
          return [id, [`count: expected 2, found ${2 + by}`]];
        }),
      );
      // Three or four windows are open at a time; all of them together would be a million slots.
      expect(mostHeld).toBeLessThanOrEqual(5 * 500);
    },
  );
});

describe("windows of log and database", () => {
  const size = { ads: 3, slides: 8, partitions: 2 };
  const windows = 3 * 9;
  const idOf = (slide: number, ad: number): string =>
    `${new Date(noon + slide * slideMs).toISOString()}/ad_${ad}`;

  test("are equal, and so are their sums", async () => {
    const { tally } = await verifySized(size);
    expect(tally).toEqual({
      compared: windows,
      equal: windows,
      different: 0,
      missing: 0,
      extra: 0,
      unfinished: 0,
      foundCount: 2 * 3 * 8,
      expectedCount: 2 * 3 * 8,
      differences: [],
    });
  });

  test.each([
    [0, 0],
    [5, 2],
    [-1, 1],
    [7, 0],
  ])("differ by a document that is missing (window %i, ad %i)", async (slide, ad) => {
    const { tally } = await verifySized(size, ({ _id }) => _id !== idOf(slide, ad));
    expect(tally).toMatchObject({ missing: 1, equal: windows - 1 });
    expect(tally.differences).toMatchObject([{ id: idOf(slide, ad), verdict: "missing" }]);
  });

  test("differ by documents that should not be there, before, between and after", async () => {
    async function* more(): AsyncGenerator<FoundDocument> {
      yield { _id: "no window at all" };
      for await (const document of documentsOf(size)) {
        yield document;
        if (document._id === idOf(3, 1)) yield { ...document, _id: idOf(3, 99) };
      }
      yield { _id: idOf(100, 1), window: { start: new Date(noon + 100 * slideMs) } };
    }
    const partitions = new Map(
      [0, 1].map((partition) => [partition, windowsOf(partition, size, () => {})]),
    );
    const tally = await verifyWindows(
      { partitions, documents: more() },
      {
        job: adStats,
        windowSizeMs: sizeMs,
        ends: new Map(),
        allPartitions: true,
        early: true,
        onlyClosed: false,
      },
    );
    expect(tally).toMatchObject({ equal: windows, extra: 3, different: 0, missing: 0 });
  });

  test("are shown up to twenty, and all are counted", async () => {
    const { tally } = await verifySized({ ...size, slides: 50 }, () => false);
    expect(tally).toMatchObject({ missing: 3 * 51, equal: 0 });
    expect(tally.differences).toHaveLength(20);
  });

  test("end together when a source fails", async () => {
    async function* broken(): AsyncGenerator<FoundDocument> {
      yield { _id: "x" };
      throw new Error("cursor lost");
    }
    let closed = false;
    async function* endless(): AsyncGenerator<CountedWindow> {
      try {
        for (let start = 0; ; start++) yield { start, slots: new Map(), closed: true };
      } finally {
        closed = true;
      }
    }
    const verifying = verifyWindows(
      { partitions: new Map([[0, endless()]]), documents: broken() },
      {
        job: adStats,
        windowSizeMs: sizeMs,
        ends: new Map(),
        allPartitions: true,
        early: true,
        onlyClosed: false,
      },
    );
    await expect(verifying).rejects.toThrow("cursor lost");
    expect(closed).toBe(true);
  });
});
