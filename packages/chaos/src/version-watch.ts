import { setTimeout as sleep } from "node:timers/promises";
import { type Collection, type Document, Long, MongoClient } from "mongodb";

/** What one look after another saw in MongoDB. */
export type VersionWatch = AsyncDisposable & {
  /** Complete readings of the collection. */
  readonly looks: number;
  /** A version or revision that fell, content that changed under one version, a document or slot that vanished. */
  readonly regressions: readonly string[];
  readonly regressionCount: number;
  /** Looks a last time and stops. @throws when MongoDB does not answer */
  finish(): Promise<void>;
};

type Slot = { readonly version: bigint; readonly content: string };
type Seen = { readonly rev: bigint; readonly slots: ReadonlyMap<string, Slot>; look: number };

/** MongoDB has other things to do: of its time, a fifth is for us. */
const restPerLook = 4;
const minRestMs = 250;
const maxShown = 20;

/** Reads every document over and over; what was seen once must never be older afterwards. */
export function watchVersions(environment: Readonly<Record<string, string>>): VersionWatch {
  const client = new MongoClient(environment["MONGODB_URL"] ?? "", { promoteLongs: false });
  const collection = client
    .db(environment["MONGODB_DATABASE"])
    .collection(environment["MONGODB_COLLECTION"] ?? "ad_stats");
  const judge = new VersionJudge();
  const stopping = new AbortController();
  const { signal } = stopping;
  const watching = (async () => {
    while (!signal.aborted) {
      const startedAt = performance.now();
      // An outage is no regression; the next look sees what came of it.
      await lookOnce(collection, judge).catch(() => {});
      const tookMs = performance.now() - startedAt;
      const restMs = Math.max(minRestMs, tookMs * restPerLook);
      await sleep(restMs, undefined, { signal }).catch(() => {});
    }
  })();
  return {
    get looks() {
      return judge.looks;
    },
    get regressions() {
      return judge.regressions;
    },
    get regressionCount() {
      return judge.count;
    },
    async finish() {
      stopping.abort();
      await watching;
      await lookOnce(collection, judge);
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await watching;
      await client.close();
    },
  };
}

async function lookOnce(collection: Collection, judge: VersionJudge): Promise<void> {
  const look = judge.begin();
  const fields = { rev: 1, slots: 1 };
  for await (const document of collection.find({}, { projection: fields })) judge.see(document);
  judge.complete(look);
}

/** Compares each reading of a document with the one before. */
export class VersionJudge {
  looks = 0;
  count = 0;
  readonly regressions: string[] = [];
  readonly #seen = new Map<string, Seen>();
  #look = 0;

  /** @returns what `complete` wants */
  begin(): number {
    return ++this.#look;
  }

  /** One document, read with `promoteLongs: false`. */
  see(document: Document): void {
    const id = String(document["_id"]);
    const now = seenOf(document, this.#look);
    const before = this.#seen.get(id);
    this.#seen.set(id, now);
    if (before === undefined) return;
    if (now.rev < before.rev) this.#note(`${id}: rev fell from ${before.rev} to ${now.rev}`);
    for (const [name, old] of before.slots) {
      const slot = now.slots.get(name);
      const where = `${id} ${name}`;
      if (slot === undefined) this.#note(`${where} vanished`);
      else if (slot.version < old.version)
        this.#note(`${where}: version fell from ${old.version} to ${slot.version}`);
      else if (slot.version === old.version && slot.content !== old.content)
        this.#note(`${where}: ${old.content} became ${slot.content} under version ${slot.version}`);
    }
  }

  /** The look begun as `look` saw every document there is. */
  complete(look: number): void {
    this.looks += 1;
    for (const [id, seen] of this.#seen) {
      if (seen.look === look) continue;
      this.#note(`${id} vanished`);
      this.#seen.delete(id);
    }
  }

  #note(text: string): void {
    this.count += 1;
    if (this.regressions.length < maxShown) this.regressions.push(text);
  }
}

function seenOf(document: Document, look: number): Seen {
  const slots = Object.entries(Object(document["slots"])).map(([name, slot]): [string, Slot] => {
    const { version, ...content } = { version: undefined, ...Object(slot) };
    return [name, { version: bigintOf(version), content: JSON.stringify(content) }];
  });
  return { rev: bigintOf(document["rev"]), slots: new Map(slots), look };
}

function bigintOf(value: unknown): bigint {
  return Long.isLong(value) ? value.toBigInt() : BigInt(Number(value ?? 0));
}
