import { expect, test } from "vitest";

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
