import type { Verdict } from "./oracle.ts";
import { type CampaignSums, type Recount, windowOf } from "./study-recount.ts";
import type { StudyResult } from "./study-results.ts";

export type WindowLatency = {
  /** Epoch ms. */
  readonly startMs: number;
  /** On the raw topic. */
  readonly events: number;
  /**
   * What closed it: later events, or a processor that waited in vain for some (IDLE_TIMEOUT). Of the latter the latency
   * says how long that is and nothing else. "open": without a final result.
   */
  readonly closedBy: "events" | "idleness" | "open";
  /** From the highest produce time of its events to the Kafka timestamp of its last result record; undefined without. */
  readonly lastResultMs: number | undefined;
  /** To the record, early ones included, by which all its events were counted; undefined when they never were. */
  readonly completeMs: number | undefined;
};

export type StudyVerdict = {
  readonly windows: readonly WindowLatency[];
  /** The same per (window, campaign) of the windows closed by events. */
  readonly cellsMs: readonly number[];
  /** (window, campaign, event type) of the final results against the recount. */
  readonly rows: Verdict;
  /** Events in the final results. */
  readonly counted: number;
};

/** A slot, and what came of it. */
type Slot = { last: StudyResult; completeAt: number };
type Cell = { readonly slots: readonly Slot[]; readonly lastAt: number };

const figures = ["views", "clicks", "purchases"] as const;

/** @param results in any order */
export function studyVerdict(recount: Recount, results: readonly StudyResult[]): StudyVerdict {
  const cells = cellsOf(results);
  const windows = windowsOf(recount, cells);
  const closed = new Set(
    windows.filter(({ closedBy }) => closedBy === "events").map(({ startMs }) => startMs),
  );
  const cellsMs = [...cells].flatMap(([key, { lastAt }]) => {
    const sentMs = recount.lastSentMs.get(key);
    return sentMs === undefined || !closed.has(windowOf(key)) ? [] : [lastAt - sentMs];
  });
  return { windows, cellsMs, ...compare(recount, cells) };
}

function cellsOf(results: readonly StudyResult[]): Map<string, Cell> {
  const bySlot = new Map<string, StudyResult[]>();
  for (const result of results) {
    const id = `${result.key}/${result.slot}`;
    const known = bySlot.get(id);
    if (known === undefined) bySlot.set(id, [result]);
    else known.push(result);
  }
  const cells = new Map<string, Cell>();
  for (const records of bySlot.values()) {
    const [first] = records;
    if (first === undefined) continue;
    const last = records.reduce((a, b) => (b.version > a.version ? b : a));
    const complete = records.filter(({ count }) => count === last.count);
    const completeAt = Math.min(...complete.map(({ at }) => at));
    const { slots, lastAt } = cells.get(first.key) ?? { slots: [], lastAt: 0 };
    cells.set(first.key, {
      slots: [...slots, { last, completeAt }],
      lastAt: Math.max(lastAt, ...records.map(({ at }) => at)),
    });
  }
  return cells;
}

function windowsOf(
  { sums, lastSentMs }: Recount,
  cells: ReadonlyMap<string, Cell>,
): WindowLatency[] {
  const starts = new Set([...sums.keys(), ...cells.keys()].map(windowOf));
  return [...starts]
    .toSorted((a, b) => a - b)
    .map((startMs) => {
      const keys = [...sums.keys()].filter((key) => windowOf(key) === startMs);
      const found = keys.map((key) => cells.get(key));
      const slots = found.flatMap((cell) => cell?.slots ?? []);
      const sentMs = Math.max(...keys.map((key) => lastSentMs.get(key) ?? 0));
      const events = total(keys.map((key) => eventsOf(sums.get(key))));
      const complete = keys.every(
        (key) =>
          total((cells.get(key)?.slots ?? []).map(({ last }) => last.count)) ===
          eventsOf(sums.get(key)),
      );
      const closedBy = closedByOf(slots);
      return {
        startMs,
        events,
        closedBy: found.includes(undefined) ? "open" : closedBy,
        lastResultMs:
          found.length === 0
            ? undefined
            : Math.max(...found.map((cell) => cell?.lastAt ?? 0)) - sentMs,
        completeMs: complete
          ? Math.max(...slots.map(({ completeAt }) => completeAt)) - sentMs
          : undefined,
      };
    });
}

/** Versions of decisions taken without a record are odd (protocol 2.2). */
function closedByOf(slots: readonly Slot[]): WindowLatency["closedBy"] {
  if (slots.some(({ last }) => last.status === "early")) return "open";
  return slots.some(({ last }) => last.version % 2n === 1n) ? "idleness" : "events";
}

function compare(
  { sums }: Recount,
  cells: ReadonlyMap<string, Cell>,
): Pick<StudyVerdict, "rows" | "counted"> {
  const rows: Verdict = { right: 0, wrong: 0, missing: 0, extra: 0 };
  let counted = 0;
  for (const [key, cell] of cells) {
    const finals = cell.slots.filter(({ last }) => last.status !== "early");
    counted += total(finals.map(({ last }) => last.count));
    if (!sums.has(key)) rows.extra += figures.length;
  }
  for (const [key, expected] of sums) {
    const slots = cells.get(key)?.slots.filter(({ last }) => last.status !== "early") ?? [];
    for (const figure of figures) {
      const found = total(slots.map(({ last }) => last[figure]));
      if (slots.length === 0) rows.missing++;
      else if (found === expected[figure]) rows.right++;
      else rows.wrong++;
    }
  }
  return { rows, counted };
}

function eventsOf(sums: CampaignSums | undefined): number {
  return sums === undefined ? 0 : sums.views + sums.clicks + sums.purchases;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
