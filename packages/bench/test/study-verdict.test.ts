import { describe, expect, test } from "vitest";
import { adInteractionSchema } from "@adstream/contracts/ad-interaction";
import { cellKey, openRecount } from "@adstream/bench/study-recount";
import type { StudyResult } from "@adstream/bench/study-results";
import { studyVerdict } from "@adstream/bench/study-verdict";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";

const window = 1_700_000_000_000;
type EventType = "view" | "click" | "purchase";

function interaction(campaign: string, type: EventType, afterMs: number, lateMs = 5) {
  const eventMs = window + afterMs;
  return {
    user_id: "u",
    page_id: "p",
    ad_id: "a",
    ad_type: "image",
    event_type: type,
    event_time_ns: BigInt(eventMs) * 1_000_000n + 999_999n,
    window_id: 0,
    ip_address: "10.0.0.1",
    campaign_id: campaign,
    produce_time: eventMs + lateMs,
  };
}

/** In window 0: A has two views and a click, the last sent at 9,005; B a purchase sent at 8,100. In window 1: A a view. */
const events = [
  interaction("A", "view", 0),
  interaction("A", "click", 9_000),
  interaction("A", "view", 100),
  interaction("B", "purchase", 8_000, 100),
  interaction("A", "view", 10_000),
];

function recountOf(format: "json" | "avro") {
  const recount = openRecount(format);
  const { encode } = avroCodec(adInteractionSchema, { bigintFields: ["event_time_ns"] });
  for (const event of events) {
    const text = JSON.stringify({ ...event, event_time_ns: 0 });
    const digits = `"event_time_ns":${event.event_time_ns}`;
    const json = Buffer.from(text.replace('"event_time_ns":0', digits));
    recount.add(format === "json" ? json : frame(1, encode(event)));
  }
  return recount.done();
}

describe.each(["json", "avro"] as const)("the recount of %s", (format) => {
  test("counts each event in its window, by campaign and type", () => {
    const { events: total, sums, lastSentMs, sentLateMs } = recountOf(format);
    expect(total).toBe(5);
    expect(Object.fromEntries(sums)).toEqual({
      [cellKey(window, "A")]: { views: 2, clicks: 1, purchases: 0 },
      [cellKey(window, "B")]: { views: 0, clicks: 0, purchases: 1 },
      [cellKey(window + 10_000, "A")]: { views: 1, clicks: 0, purchases: 0 },
    });
    expect(lastSentMs.get(cellKey(window, "A"))).toBe(window + 9_005);
    expect([...sentLateMs]).toEqual([5, 5, 5, 100, 5]);
  });
});

const first = cellKey(window, "A");
const second = cellKey(window, "B");
const next = cellKey(window + 10_000, "A");

/** `at`: ms behind the start of the first window. */
function result(
  key: string,
  [views, clicks, purchases]: [number, number, number],
  rest: { at: number; version: bigint; status?: string; slot?: number },
): StudyResult {
  const { at, version, status = "final", slot = 0 } = rest;
  const count = views + clicks + purchases;
  return { key, slot, version, status, count, views, clicks, purchases, at: window + at };
}

const right = [
  result(first, [1, 0, 0], { at: 1_000, version: 2n, status: "early" }),
  result(first, [1, 1, 0], { at: 9_500, version: 4n, status: "early" }),
  result(first, [1, 1, 0], { at: 12_000, version: 40n }),
  result(first, [1, 0, 0], { at: 12_100, version: 42n, slot: 1 }),
  result(second, [0, 0, 1], { at: 11_900, version: 40n }),
  result(next, [1, 0, 0], { at: 30_000, version: 51n }),
];

test("a window's latency is from its last event sent to its last result, whichever campaign's these are", () => {
  const { windows, cellsMs, rows, counted } = studyVerdict(recountOf("json"), right);
  expect(windows).toEqual([
    {
      startMs: window,
      events: 4,
      closedBy: "events",
      lastResultMs: 12_100 - 9_005,
      completeMs: 12_100 - 9_005,
    },
    {
      startMs: window + 10_000,
      events: 1,
      closedBy: "idleness",
      lastResultMs: 20_000 - 5,
      completeMs: 20_000 - 5,
    },
  ]);
  // Of closed windows only, and each campaign by its own last event.
  expect(cellsMs).toEqual([12_100 - 9_005, 11_900 - 8_100]);
  expect(rows).toEqual({ right: 9, wrong: 0, missing: 0, extra: 0 });
  expect(counted).toBe(5);
});

test("all are counted as soon as early results say so", () => {
  const early = right.map((one) =>
    one.slot === 1 ? { ...one, at: window + 9_700, status: "early" } : one,
  );
  const finals = right.filter(({ slot }) => slot === 1).map((one) => ({ ...one, version: 60n }));
  const [window0] = studyVerdict(recountOf("json"), [...early, ...finals]).windows;
  expect(window0).toMatchObject({ completeMs: 11_900 - 9_005, lastResultMs: 12_100 - 9_005 });
});

test("the order in which results are read does not matter", () => {
  const recount = recountOf("json");
  const { cellsMs: _1, ...backwards } = studyVerdict(recount, right.toReversed());
  const { cellsMs: _2, ...forwards } = studyVerdict(recount, right);
  expect(backwards).toEqual(forwards);
});

test("a count that is off is wrong, a window without final results is open, what nobody sent is extra", () => {
  const results = [
    ...right.slice(0, 2),
    result(second, [0, 1, 1], { at: 11_900, version: 40n }),
    result(next, [1, 0, 0], { at: 30_000, version: 50n }),
    result(cellKey(window, "C"), [1, 0, 0], { at: 9_000, version: 2n }),
  ];
  const { windows, rows, counted } = studyVerdict(recountOf("json"), results);
  expect(windows.map(({ closedBy }) => closedBy)).toEqual(["open", "events"]);
  expect(windows[0]?.completeMs).toBeUndefined();
  expect(rows).toEqual({ right: 3 + 2, wrong: 1, missing: 3, extra: 3 });
  expect(counted).toBe(2 + 1 + 1);
});
