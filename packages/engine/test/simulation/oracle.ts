import type { AdStats } from "../../../contracts/src/ad-stats.ts";
import type { InputEntry, InputRecord } from "./input-log.ts";

/** What the truth depends on besides the log: settings, and decisions that were durable. */
export type OracleJob = {
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly delayMs: number;
  readonly latenessMs: number;
  readonly maxFutureMs: number;
  /** How long event ids are remembered, in event time; undefined: not at all. */
  readonly horizonMs: number | undefined;
};
export type OracleDecision = { readonly offset: number; readonly watermark: number };

/** `version` without its epoch. */
export type TrueSlot = Omit<AdStats, "version" | "slot"> & { readonly version: number };

export type Truth = {
  /** `<window start>/<key>` -> the slot. */
  readonly slots: Map<string, TrueSlot>;
  readonly dead: Map<number, number>;
  readonly late: Set<number>;
  readonly duplicates: Set<number>;
};

type Window = {
  readonly start: number;
  readonly end: number;
  readonly key: string;
  readonly records: { eventTime: number; recordTime: number; figures: number[] }[];
  status: AdStats["status"];
  version: number;
};

/**
 * One partition's results, recomputed window by window from the definition: no panes, no dictionaries, no increments, and
 * nothing of the engine's code.
 */
export function truthOf(
  job: OracleJob,
  entries: readonly InputEntry[],
  decisions: readonly OracleDecision[],
  strange: { readonly schema: number; readonly from: number },
  reasons: { readonly unknownSchema: number; readonly ahead: number },
): Truth {
  const windows = new Map<string, Window>();
  const dead = new Map<number, number>();
  const late = new Set<number>();
  const duplicates = new Set<number>();
  const seen = new Map<string, number>();
  let watermark = Number.NEGATIVE_INFINITY;

  function advance(to: number, version: number): void {
    if (to <= watermark) return;
    for (const window of windows.values()) {
      if (window.end <= watermark || window.end > to) continue;
      window.status = "final";
      window.version = version;
    }
    watermark = to;
  }

  /** Remembers the event; true when it was there before. */
  function repeats({ eventId, eventTime }: InputRecord): boolean {
    if (job.horizonMs === undefined || eventId === "") return false;
    const from = watermark - job.horizonMs;
    if ((seen.get(eventId) ?? Number.NEGATIVE_INFINITY) >= from && seen.has(eventId)) return true;
    if (eventTime >= from) seen.set(eventId, eventTime);
    return false;
  }

  for (const [offset, entry] of [...entries, undefined].entries()) {
    for (const decision of decisions) {
      if (decision.offset === offset) advance(decision.watermark, 2 * offset + 1);
    }
    if (entry?.kind !== "record") continue;
    const { eventTime, recordTime, key } = entry;
    const unknown = entry.schemaId === strange.schema && offset >= strange.from;
    const ahead = recordTime >= 0 && eventTime > recordTime + job.maxFutureMs;
    const readable = entry.rejected || (ahead ? reasons.ahead : 0);
    const reason = unknown ? reasons.unknownSchema : readable;
    if (reason !== 0) {
      dead.set(offset, reason);
      continue;
    }
    if (repeats(entry)) {
      duplicates.add(offset);
      continue;
    }
    let counted = false;
    const first = Math.ceil((eventTime - job.sizeMs + 1) / job.slideMs) * job.slideMs;
    for (let start = first; start <= eventTime; start += job.slideMs) {
      const end = start + job.sizeMs;
      if (end + job.latenessMs <= watermark) continue;
      counted = true;
      const id = `${start}/${key}`;
      const window = windows.get(id) ?? {
        start,
        end,
        key,
        records: [],
        status: "early",
        version: 0,
      };
      windows.set(id, window);
      const figures = [entry.clicks, entry.views, entry.cost];
      window.records.push({ eventTime, recordTime, figures });
      window.status = end <= watermark ? "corrected" : "early";
      window.version = 2 * (offset + 1);
    }
    if (!counted) late.add(offset);
    else {
      const complete = recordTime >= 0 ? Math.min(recordTime, eventTime) : eventTime;
      advance(complete - job.delayMs, 2 * (offset + 1));
    }
  }
  const slots = new Map([...windows].map(([id, window]) => [id, slotOf(window)]));
  return { slots, dead, late, duplicates };
}

function slotOf({ start, end, key, records, status, version }: Window): TrueSlot {
  const total = (sum: number): number =>
    records.reduce((before, { figures }) => before + (figures[sum] ?? 0), 0);
  return {
    ad_id: key,
    window_start: start,
    window_end: end,
    status,
    version,
    count: records.length,
    total_clicks: total(0),
    total_views: total(1),
    total_cost: total(2),
    max_event_time: Math.max(...records.map(({ eventTime }) => eventTime)),
    max_record_time: Math.max(...records.map(({ recordTime }) => recordTime)),
  };
}
