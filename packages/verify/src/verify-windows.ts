import {
  compareWindow,
  type CompareRules,
  type Difference,
  type ExpectedWindow,
  type FoundDocument,
} from "./compare-window.ts";
import type { CountedWindow } from "./count-partition.ts";

export type WindowsTally = {
  /** Windows of keys: documents that are there or should be. */
  compared: number;
  equal: number;
  different: number;
  missing: number;
  extra: number;
  /** Still open, or changed meanwhile: neither right nor wrong. */
  unfinished: number;
  /** Sum of `count` over all documents, and what it should be. */
  foundCount: number;
  expectedCount: number;
  /** The first of them. */
  readonly differences: Difference[];
};

export type WindowSources = {
  /** By partition, each oldest window first. */
  readonly partitions: ReadonlyMap<number, AsyncIterable<CountedWindow>>;
  /** In the order of their windows' starts. */
  readonly documents: AsyncIterable<FoundDocument>;
};

const maxDifferences = 20;

/**
 * Merges what the log says with what MongoDB holds, one window after the other. Memory: the windows that the sources
 * hold open, and one window more.
 */
export async function verifyWindows(
  { partitions, documents }: WindowSources,
  rules: CompareRules,
): Promise<WindowsTally> {
  const tally: WindowsTally = {
    compared: 0,
    equal: 0,
    different: 0,
    missing: 0,
    extra: 0,
    unfinished: 0,
    foundCount: 0,
    expectedCount: 0,
    differences: [],
  };
  await using expected = new Ahead(mergePartitions(partitions));
  await using found = new Ahead(groupByWindow(documents));
  for (;;) {
    const [log, stored] = await Promise.all([expected.head(), found.head()]);
    if (log === undefined && stored === undefined) return tally;
    const start = Math.min(log?.start ?? Infinity, stored?.start ?? Infinity);
    const window = log?.start === start ? log : { start, partitions: new Map() };
    const there = stored?.start === start ? stored.documents : [];
    note(tally, window, there, compareWindow(window, there, rules));
    if (log === window) expected.take();
    if (stored?.start === start) found.take();
  }
}

function note(
  tally: WindowsTally,
  { partitions }: ExpectedWindow,
  documents: readonly FoundDocument[],
  verdicts: readonly Difference[],
): void {
  for (const window of partitions.values()) {
    for (const { count } of window.slots.values()) tally.expectedCount += count;
  }
  for (const { count } of documents) tally.foundCount += Number(count ?? 0);
  for (const difference of verdicts) {
    tally[difference.verdict] += 1;
    if (difference.verdict !== "unfinished") tally.compared += 1;
    const wrong = difference.verdict !== "unfinished" && difference.verdict !== "equal";
    if (wrong && tally.differences.length < maxDifferences) tally.differences.push(difference);
  }
}

/** Windows of all partitions, oldest first. */
async function* mergePartitions(
  partitions: WindowSources["partitions"],
): AsyncGenerator<ExpectedWindow> {
  await using opened = new AsyncDisposableStack();
  const sources = [...partitions].map(([partition, windows]) => {
    return { partition, ahead: opened.use(new Ahead(windows)) };
  });
  for (;;) {
    const heads = await Promise.all(sources.map(({ ahead }) => ahead.head()));
    const start = Math.min(...heads.map((head) => head?.start ?? Infinity));
    if (start === Infinity) return;
    const together = new Map<number, CountedWindow>();
    for (const [index, { partition, ahead }] of sources.entries()) {
      const head = heads[index];
      if (head?.start !== start) continue;
      together.set(partition, head);
      ahead.take();
    }
    yield { start, partitions: together };
  }
}

type DocumentGroup = { readonly start: number; readonly documents: FoundDocument[] };

/** Documents without a window come first: MongoDB sorts what is missing before what is there. */
async function* groupByWindow(
  documents: AsyncIterable<FoundDocument>,
): AsyncGenerator<DocumentGroup> {
  let group: DocumentGroup | undefined;
  for await (const document of documents) {
    const start = windowStart(document);
    if (group?.start === start) group.documents.push(document);
    else {
      if (group !== undefined) yield group;
      group = { start, documents: [document] };
    }
  }
  if (group !== undefined) yield group;
}

function windowStart({ window }: FoundDocument): number {
  const start: unknown = window instanceof Object ? Reflect.get(window, "start") : undefined;
  const time = start instanceof Date ? start.getTime() : Number.NaN;
  return Number.isNaN(time) ? -8.64e15 : time;
}

/** An iterable with a look at what comes next. */
class Ahead<Item> implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Item>;
  #head: Promise<IteratorResult<Item>> | undefined;

  constructor(items: AsyncIterable<Item>) {
    this.#iterator = items[Symbol.asyncIterator]();
  }

  /** undefined at the end */
  async head(): Promise<Item | undefined> {
    this.#head ??= this.#iterator.next();
    const { done, value } = await this.#head;
    return done === true ? undefined : value;
  }

  take(): void {
    this.#head = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iterator.return?.();
  }
}
