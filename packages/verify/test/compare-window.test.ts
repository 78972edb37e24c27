import { describe, expect, test } from "vitest";
import {
  compareWindow,
  type CompareRules,
  type FoundDocument,
  logPosition,
} from "../src/compare-window.ts";
import type { CountedWindow, ExpectedSlot } from "../src/count-partition.ts";
import { adStats } from "../src/jobs/ad-stats.ts";

const start = Date.UTC(2026, 0, 1, 12);
const id = "2026-01-01T12:00:00.000Z/a";
const rules: CompareRules = {
  job: adStats,
  windowSizeMs: 60_000,
  ends: new Map([
    [0, 10],
    [1, 10],
  ]),
  allPartitions: true,
  early: true,
  onlyClosed: false,
};

function slot(count: number, corrected = false): ExpectedSlot {
  const figures = { total_clicks: count, total_views: count * 2, total_cost: count * 0.5 };
  return { count, figures, corrected };
}

/** Ad "a" twice in partition 0 and once in partition 1. */
function windowOf({ closed = true, corrected = false } = {}) {
  const part = (count: number): CountedWindow => {
    return { start, closed, slots: new Map([["a", slot(count, corrected)]]) };
  };
  return {
    start,
    partitions: new Map([
      [0, part(2)],
      [1, part(1)],
    ]),
  };
}

/** What the sink makes of it. */
function documentOf(status = "final"): Record<string, unknown> & { _id: string } {
  const stored = ({ count, figures }: ExpectedSlot) => ({ count, ...figures });
  const [two, one] = [stored(slot(2)), stored(slot(1))];
  return {
    _id: id,
    ad_id: "a",
    window: { start: new Date(start), end: new Date(start + 60_000) },
    count: 3,
    total_clicks: 3,
    total_views: 6,
    total_cost: 1.5,
    avg_clicks: 1,
    avg_views: 2,
    avg_cost: 0.5,
    avg_cost_per_view: 0.25,
    status,
    slots: { p0: { version: 12n, status, ...two }, p1: { version: 14n, status, ...one } },
    rev: 2n,
  };
}

function verdictsOf(
  documents: readonly FoundDocument[],
  given: Partial<CompareRules> = {},
  window = windowOf(),
) {
  return compareWindow(window, documents, { ...rules, ...given }).map(({ verdict, problems }) => ({
    verdict,
    problems,
  }));
}

describe("a document", () => {
  test("is equal when every figure, slot and status is", () => {
    expect(verdictsOf([documentOf()])).toEqual([{ verdict: "equal", problems: [] }]);
  });

  test("may hold a cost that was added in another order", () => {
    const document = { ...documentOf(), total_cost: 1.5 + 1e-12 };
    expect(verdictsOf([document])).toMatchObject([{ verdict: "equal" }]);
  });

  test.each<[string, (document: ReturnType<typeof documentOf>) => void, string]>([
    ["a count", (one) => (one["count"] = 4), "count: expected 3, found 4"],
    [
      "a sum",
      (one) => (one["total_cost"] = 1.50000001),
      "total_cost: expected 1.5, found 1.50000001",
    ],
    ["an average", (one) => (one["avg_views"] = null), "avg_views: expected 2, found null"],
    ["a lost figure", (one) => delete one["avg_cost"], "avg_cost: expected 0.5, found nothing"],
    ["a status", (one) => (one["status"] = "early"), 'status: expected "final", found "early"'],
    ["an ad", (one) => (one["ad_id"] = "b"), 'ad_id: expected "a", found "b"'],
    [
      "a window",
      (one) => (one["window"] = { start: new Date(start), end: new Date(start + 60_001) }),
      `window.end: expected ${start + 60_000}, found ${start + 60_001}`,
    ],
    [
      "a slot's count",
      (one) => Object.assign(Object(one["slots"]).p1, { count: 2 }),
      "slots.p1.count: expected 1, found 2",
    ],
    [
      "a slot's version",
      (one) => Object.assign(Object(one["slots"]).p1, { version: null }),
      "slots.p1.version: expected a version, found null",
    ],
    [
      "a slot of a partition without such records",
      (one) => Object.assign(Object(one["slots"]), { p7: { version: 2n, count: 1 } }),
      "slots.p7: expected none, found a count of 1",
    ],
  ])("is different by %s", (_, spoil, problem) => {
    const document = documentOf();
    spoil(document);
    expect(verdictsOf([document])).toEqual([{ verdict: "different", problems: [problem] }]);
  });

  test("is extra when the log has no such window or ad", () => {
    const other = { ...documentOf(), _id: "2026-01-01T12:00:00.000Z/b", ad_id: "b" };
    expect(verdictsOf([documentOf(), other])).toMatchObject([
      { verdict: "equal" },
      { verdict: "extra" },
    ]);
    const empty = { start, partitions: new Map() };
    expect(verdictsOf([documentOf()], {}, empty)).toMatchObject([{ verdict: "extra" }]);
  });

  test("that an upgrade emptied is as good as none", () => {
    const nothing = { version: 2n, count: 0, total_clicks: 0, total_views: 0, total_cost: 0 };
    const document = { ...documentOf(), _id: "2026-01-01T12:00:00.000Z/b", slots: { p0: nothing } };
    expect(verdictsOf([documentOf(), document])).toMatchObject([
      { verdict: "equal" },
      { verdict: "equal" },
    ]);
  });

  test("is missing when there is none", () => {
    expect(verdictsOf([])).toEqual([
      { verdict: "missing", problems: ["expected a count of 3, found no document"] },
    ]);
  });

  test("has the status of its least finished slot", () => {
    const corrected = windowOf({ corrected: true });
    expect(verdictsOf([documentOf("corrected")], {}, corrected)).toMatchObject([
      { verdict: "equal" },
    ]);
    expect(verdictsOf([documentOf("final")], {}, corrected)).toMatchObject([
      { verdict: "different" },
    ]);
  });

  test("that was written after the part of the log that was read is neither right nor wrong", () => {
    const document = documentOf();
    Object.assign(Object(document["slots"]).p0, { version: (3n << 48n) | 22n, count: 9 });
    expect(verdictsOf([document])).toMatchObject([{ verdict: "unfinished" }]);
  });
});

describe("an open window", () => {
  const open = windowOf({ closed: false });

  test("is compared as it stands", () => {
    expect(verdictsOf([documentOf("early")], {}, open)).toMatchObject([{ verdict: "equal" }]);
    expect(verdictsOf([], {}, open)).toMatchObject([{ verdict: "missing" }]);
  });

  test("needs no document where early results are off, and none is asked for while it may change", () => {
    expect(verdictsOf([], { early: false }, open)).toMatchObject([{ verdict: "unfinished" }]);
    expect(verdictsOf([], { onlyClosed: true }, open)).toMatchObject([{ verdict: "unfinished" }]);
    expect(verdictsOf([documentOf("early")], { onlyClosed: true }, open)).toMatchObject([
      { verdict: "unfinished" },
    ]);
  });
});

describe("one partition alone", () => {
  const { partitions } = windowOf();
  const first = { start, partitions: new Map([...partitions].slice(0, 1)) };
  const alone = { ends: new Map([[0, 10]]), allPartitions: false };

  test("is compared by its slots, and totals by the slots beside them", () => {
    expect(verdictsOf([documentOf()], alone, first)).toMatchObject([{ verdict: "equal" }]);
    const wrongSlot = documentOf();
    Object.assign(Object(wrongSlot["slots"]).p0, { count: 3 });
    expect(verdictsOf([wrongSlot], alone, first)).toMatchObject([{ verdict: "different" }]);
    const wrongTotal = { ...documentOf(), count: 4 };
    expect(verdictsOf([wrongTotal], alone, first)).toMatchObject([{ verdict: "different" }]);
  });

  test("does not wonder at documents of other partitions", () => {
    const empty = { start, partitions: new Map() };
    const other = { ends: new Map([[5, 10]]), allPartitions: false };
    expect(verdictsOf([documentOf()], other, empty)).toMatchObject([{ verdict: "equal" }]);
    expect(verdictsOf([documentOf()], alone, empty)).toMatchObject([{ verdict: "extra" }]);
  });
});

test("the log position of a version is what is below the job's epoch", () => {
  expect([logPosition((7n << 48n) | 13n), logPosition(13n), logPosition(13)]).toEqual([13, 13, 13]);
  expect([logPosition(-1n), logPosition(1.5), logPosition("13"), logPosition(null)]).toEqual([
    -1, -1, -1, -1,
  ]);
});
