import { documentId } from "@adstream/contracts/documents";
import { MongoClient } from "mongodb";
import { adName } from "./ad-events.ts";
import { rowKey } from "./oracle.ts";
import type { ResultRecord } from "./read-results.ts";
import { type Spread, spread } from "./result-latency.ts";

export type WatchOptions = {
  readonly url: string;
  readonly database: string;
  readonly collection: string;
  readonly ads: number;
  readonly windowMs: number;
  /** Between the starts of two looks. */
  readonly pollMs: number;
};

/** What a reader of the documents saw of some ads. */
export type Watched = {
  /** `rowKey` -> each state of its document that was seen, with when it was seen, epoch ms. */
  readonly states: ReadonlyMap<string, readonly ResultRecord[]>;
  /** From one look to the end of the next: what a state may have been there for before it was seen. */
  readonly resolutionMs: Spread;
};

/** Ads looked at; all of them would cost the server more than the pipeline does. */
const watchedAds = 32;

/** Reads the documents of some ads of the two newest windows again and again, from a connection of its own. */
export async function watchDocuments(options: WatchOptions, signal: AbortSignal): Promise<Watched> {
  const { url, database, collection: name, ads, windowMs, pollMs } = options;
  await using client = new MongoClient(url, { appName: "bench" });
  const collection = client.db(database).collection<Seen & { readonly _id: string }>(name);
  const every = Math.max(1, Math.floor(ads / watchedAds));
  const names = Array.from({ length: ads }, (_, ad) => ad)
    .filter((ad) => ad % every === 0)
    .map(adName);
  const states = new Map<string, ResultRecord[]>();
  const gaps: number[] = [];
  let lastMs = performance.now();
  const projection = { status: 1, count: 1 };
  while (!signal.aborted) {
    const keys = keysOf(names, windowMs);
    const wanted = { _id: { $in: [...keys.keys()] } };
    const found = await collection.find(wanted, { projection }).toArray();
    const at = Date.now();
    for (const { _id, count, status } of found) {
      const key = keys.get(_id) ?? _id;
      const seen = states.get(key) ?? [];
      const newest = seen.at(-1);
      if (newest?.count === count && newest.status === status) continue;
      states.set(key, [...seen, { at, version: BigInt(seen.length), status, count }]);
    }
    const endMs = performance.now();
    gaps.push(endMs - lastMs);
    const waitMs = pollMs - (endMs - lastMs);
    lastMs = endMs;
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return { states, resolutionMs: spread(gaps) };
}

type Seen = { readonly count: number; readonly status: string };

/** Document id -> row key, of the window that is filled now and the one before. */
function keysOf(names: readonly string[], windowMs: number): Map<string, string> {
  const newest = Math.floor(Date.now() / windowMs) * windowMs;
  const keys = new Map<string, string>();
  for (const startMs of [newest - windowMs, newest]) {
    for (const ad of names) keys.set(documentId(startMs, ad), rowKey(startMs, ad));
  }
  return keys;
}
