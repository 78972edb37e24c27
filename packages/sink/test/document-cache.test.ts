import { expect, test, vi } from "vitest";

import { createDocumentCache, type DocumentCache } from "../src/document-cache.ts";
import { mergeResults, resultDocumentId } from "../src/merge.ts";
import { adResult } from "./fakes/ad-results.ts";

const minuteMs = 60_000;

/** Windows that follow each other, each written once. */
function putWindows(cache: DocumentCache, count: number, each: (window: number) => void): void {
  for (let window = 0; window < count; window++) {
    const start = window * minuteMs;
    const result = adResult({ window_start: start, window_end: start + minuteMs });
    const document = mergeResults(undefined, [result], new Date(start));
    if (document !== undefined) cache.put(document);
    each(window);
  }
}

test("documents of windows that are long closed go, however much room there is", () => {
  let nowMs = 0;
  const cache = createDocumentCache({
    maxDocuments: 50_000,
    maxIdleMs: 5 * minuteMs,
    nowMs: () => nowMs,
  });
  putWindows(cache, 1_000, () => {
    expect(cache.size).toBeLessThanOrEqual(6);
    nowMs += minuteMs;
  });
  expect(cache.size).toBe(6);
});

test("a document in use stays, and goes when it is not used any more", () => {
  let nowMs = 0;
  const cache = createDocumentCache({
    maxDocuments: 50_000,
    maxIdleMs: minuteMs,
    nowMs: () => nowMs,
  });
  const used = adResult({ ad_id: "used", window_start: 0, window_end: minuteMs });
  const document = mergeResults(undefined, [used], new Date(0));
  if (document !== undefined) cache.put(document);
  putWindows(cache, 100, () => {
    nowMs += minuteMs / 2;
    expect(cache.get(resultDocumentId(used))).toBe(document);
  });
  nowMs += minuteMs + 1;
  putWindows(cache, 1, () => {});
  expect(cache.get(resultDocumentId(used))).toBeUndefined();
});

test("of more documents than there is room for, those used longest ago go", () => {
  const cache = createDocumentCache({
    maxDocuments: 160,
    maxIdleMs: minuteMs,
    nowMs: () => 0,
  });
  const first = resultDocumentId(adResult({ window_start: 0 }));
  putWindows(cache, 1_000, (window) => {
    expect(cache.size).toBeLessThanOrEqual(160);
    expect(cache.size).toBeGreaterThanOrEqual(Math.min(window + 1, 150));
    expect(cache.get(first), `window ${window}`).toBeDefined();
  });
  const at = (window: number) => resultDocumentId(adResult({ window_start: window * minuteMs }));
  expect(cache.get(at(999))).toBeDefined();
  expect(cache.get(at(1))).toBeUndefined();
});

test("the oldest is looked for seldom: the way to it is as long as the documents are many", () => {
  let nowMs = 0;
  const cache = createDocumentCache({
    maxDocuments: 16_000,
    maxIdleMs: minuteMs,
    nowMs: () => nowMs,
  });
  const document = mergeResults(undefined, [adResult()], new Date(0));
  if (document === undefined) throw new Error("nothing to put");
  const looks = vi.spyOn(Map.prototype, Symbol.iterator);
  for (let at = 0; at < 40_000; at++) {
    nowMs += 0.1;
    cache.put({ ...document, _id: `document ${at}` });
  }
  // 24 times there is no room, and 4 s pass.
  expect(looks.mock.calls.length).toBeLessThan(40);
  looks.mockRestore();
  expect(cache.size).toBeLessThanOrEqual(16_000);
});
