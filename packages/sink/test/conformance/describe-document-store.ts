import type { ResultDocument } from "@adstream/contracts/documents";
import { describe, expect, test } from "vitest";

import { mergeResults } from "../../src/merge.ts";
import type { DocumentFigures, DocumentStore } from "../../src/ports.ts";
import { adResult, hostileAdIds } from "../fakes/ad-results.ts";

const at = new Date("2026-01-02T03:04:05.678Z");
const largeVersion = (3n << 48n) | 123_456_789_012_345n;

/** The contract of `DocumentStore`. `open` gives an empty store at each call. */
export function describeDocumentStore(backend: string, open: () => Promise<DocumentStore>): void {
  describe(`the document store on ${backend}`, () => {
    test("gives back what was inserted, to the last bit", async () => {
      const store = await open();
      const cost = 0.1 + 0.2;
      const document = documentOf({ version: largeVersion, total_cost: cost, total_views: 0 });
      expect(await store.write([], [document])).toEqual({ matched: 0, upserted: 1 });
      expect(await store.find([document._id])).toEqual(new Map([[document._id, document]]));
    });

    test("keeps totals beyond 32 bits", async () => {
      const store = await open();
      const document = documentOf({ total_clicks: 2 ** 52, count: 2 ** 31 });
      await store.write([], [document]);
      expect((await store.find([document._id])).get(document._id)).toEqual(document);
    });

    test("leaves out ids without a document", async () => {
      const store = await open();
      expect(await store.find(["nobody", "else"])).toEqual(new Map());
      expect(await store.find([])).toEqual(new Map());
    });

    test("finds a thousand documents at once", async () => {
      const store = await open();
      const documents = Array.from({ length: 1_000 }, (_, ad) => documentOf({ ad_id: `ad-${ad}` }));
      expect(await store.write([], documents)).toEqual({ matched: 0, upserted: 1_000 });
      expect((await store.find(documents.map(({ _id }) => _id))).size).toBe(1_000);
    });

    test("updates a document whose revision is the one given", async () => {
      const store = await open();
      const before = documentOf({ version: 2n });
      await store.write([], [before]);
      const after = mergedWith(before, { version: largeVersion, slot: 11 });
      const update = { id: before._id, rev: before.rev, set: figures(after) };
      expect(await store.write([update], [])).toEqual({ matched: 1, upserted: 0 });
      expect((await store.find([before._id])).get(before._id)).toEqual(after);
    });

    test("does not touch a document of another revision", async () => {
      const store = await open();
      const before = documentOf({ version: 2n });
      await store.write([], [before]);
      const set = figures(mergedWith(before, { version: 4n }));
      const update = { id: before._id, rev: before.rev + 1, set };
      expect(await store.write([update], [])).toMatchObject({ matched: 0, upserted: 0 });
      expect((await store.find([before._id])).get(before._id)).toEqual(before);
    });

    test("does not make a document by an update", async () => {
      const store = await open();
      const { _id, ...rest } = documentOf({});
      const outcome = await store.write([{ id: _id, rev: 1, set: figures({ _id, ...rest }) }], []);
      expect(outcome).toMatchObject({ matched: 0, upserted: 0 });
      expect((await store.find([_id])).size).toBe(0);
    });

    test("does not insert over a document", async () => {
      const store = await open();
      const first = documentOf({ version: 2n });
      await store.write([], [first]);
      const outcome = await store.write([], [documentOf({ version: 4n })]);
      expect(outcome.upserted).toBe(0);
      expect((await store.find([first._id])).get(first._id)).toEqual(first);
    });

    test("does the rest of a bulk in which one write misses", async () => {
      const store = await open();
      const present = documentOf({ ad_id: "present" });
      await store.write([], [present]);
      const missed = { id: present._id, rev: 99, set: figures(present) };
      const outcome = await store.write([missed], [documentOf({ ad_id: "new" }), present]);
      expect(outcome.upserted).toBe(1);
      expect((await store.find([documentOf({ ad_id: "new" })._id])).size).toBe(1);
    });

    test("gives one of two racing inserts, and one of two racing updates, to one writer", async () => {
      const store = await open();
      const document = documentOf({});
      const inserts = await Promise.all([store.write([], [document]), store.write([], [document])]);
      expect(inserts.filter(({ upserted }) => upserted === 1)).toHaveLength(1);
      const set = figures(mergedWith(document, { version: 4n }));
      const update = { id: document._id, rev: document.rev, set };
      const updates = await Promise.all([store.write([update], []), store.write([update], [])]);
      expect(updates.filter(({ matched }) => matched === 1)).toHaveLength(1);
    });

    test.each(hostileAdIds)("keeps the ad id %j apart and unchanged", async (adId) => {
      const store = await open();
      const [document, other] = [documentOf({ ad_id: adId }), documentOf({ ad_id: "other" })];
      await store.write([], [document, other]);
      const after = mergedWith(document, { ad_id: adId, version: 9n });
      const update = { id: document._id, rev: document.rev, set: figures(after) };
      expect(await store.write([update], [])).toEqual({ matched: 1, upserted: 0 });
      const found = await store.find([document._id, other._id]);
      expect(found.get(document._id)).toEqual(after);
      expect(found.get(other._id)).toEqual(other);
    });
  });
}

function documentOf(given: Parameters<typeof adResult>[0]): ResultDocument {
  return mergeResults(undefined, [adResult(given)], at)!;
}

function mergedWith(
  document: ResultDocument,
  given: Parameters<typeof adResult>[0],
): ResultDocument {
  return mergeResults(document, [adResult(given)], at)!;
}

function figures({ _id, ad_id, window, ...rest }: ResultDocument): DocumentFigures {
  void [_id, ad_id, window];
  return rest;
}
