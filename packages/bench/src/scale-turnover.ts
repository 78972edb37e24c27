import { Task } from "@adstream/engine/task";
import type { Verdict } from "./oracle.ts";
import { ScaleLoad } from "./scale-load.ts";
import { collectGarbage, scaleJob } from "./scale-states.ts";

/** Ever-new ads: each has its events in one pane and never comes again. */
export type TurnoverSpec = { readonly adsPerPane: number; readonly panes: number };

export type TurnoverFigures = {
  /** Ads that were ever seen, most that had an open pane at once, and most that the dictionary held. */
  readonly ads: number;
  readonly mostLive: number;
  readonly mostKeys: number;
  /** Resident memory at the end of each pane, beyond that of the process before the first. */
  readonly rssBytes: readonly number[];
  readonly rows: Verdict;
};

const paneMs = scaleJob.window.slideMs;
const startMs = Date.UTC(2026, 0, 1);
const eventsPerAd = 2;
/** Each ad is in the two windows of its pane. */
const windowsPerAd = 2;

/** Lets ads come and go, and looks at what stays of them. */
export function measureTurnover({ adsPerPane, panes }: TurnoverSpec): TurnoverFigures {
  const task = new Task(scaleJob, 0, 0);
  const load = new ScaleLoad(task);
  collectGarbage();
  const rssBefore = process.memoryUsage.rss();
  const rssBytes: number[] = [];
  const verdict: Verdict = { right: 0, wrong: 0, missing: 0, extra: 0 };
  let [mostLive, mostKeys] = [0, 0];
  const take = (): void => {
    load.flush();
    const { aggregate } = task;
    mostKeys = Math.max(mostKeys, aggregate.keys.count);
    const live = [...aggregate.panes.values()].reduce((sum, { count }) => sum + count, 0);
    mostLive = Math.max(mostLive, live);
    const { results } = task.output(0, true);
    for (const records of results.records.subarray(0, results.count)) {
      verdict[records === eventsPerAd ? "right" : "wrong"]++;
    }
  };
  for (let pane = 0; pane < panes; pane++) {
    const slices = 20;
    for (let slice = 0; slice < slices; slice++) {
      const from = Math.floor((slice * adsPerPane) / slices);
      const to = Math.floor(((slice + 1) * adsPerPane) / slices);
      const sliceMs = paneMs / slices;
      for (let time = 0; time < eventsPerAd; time++) {
        for (let ad = from; ad < to; ad++) {
          load.add(pane * adsPerPane + ad, startMs + pane * paneMs + slice * sliceMs, sliceMs);
        }
      }
      take();
    }
    rssBytes.push(process.memoryUsage.rss() - rssBefore);
  }
  task.decide(startMs + (panes + 2) * paneMs);
  take();
  const ads = adsPerPane * panes;
  const rows = verdict.right + verdict.wrong;
  verdict.missing = Math.max(0, ads * windowsPerAd - rows);
  verdict.extra = Math.max(0, rows - ads * windowsPerAd);
  return { ads, mostLive, mostKeys, rssBytes, rows: verdict };
}
