import { CheckpointChain } from "@adstream/engine/checkpoint-chain";
import { encodeFrame, frameDigest } from "@adstream/engine/checkpoint";
import type { Restorable } from "@adstream/engine/stored-frames";
import { Task } from "@adstream/engine/task";
import { wholeState } from "@adstream/engine/whole-state";
import type { WindowedJob } from "@adstream/engine/windowed-job";
import { randomBelow } from "./ad-events.ts";
import { checkpointHeader, payloadCodec } from "./checkpoint-frame.ts";
import type { Verdict } from "./oracle.ts";
import { Expected } from "./scale-expected.ts";
import { ScaleLoad } from "./scale-load.ts";

/** What one process measures: one task with so many ads, all of them in two open panes. */
export type StatesSpec = {
  readonly ads: number;
  readonly events: number;
  readonly checkpoints: number;
  /** Ads that get an event between two checkpoints. */
  readonly changed: number;
};

export type StatesFigures = {
  /** Open (ad, pane) cells. */
  readonly states: number;
  readonly cpuSecondsPerMillion: number;
  readonly longestBatchMs: number;
  /** Beyond the process that had done the same with a thousand ads: at rest, and at most while checkpoints were taken. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  readonly checkpoints: readonly Checkpointed[];
  /** From the objects in memory to a task. */
  readonly restoreMs: number;
  readonly rows: Verdict;
};

/** One checkpoint. */
export type Checkpointed = {
  readonly whole: boolean;
  /** The task stands still twice, for the copy, and once that is compressed for the frame with its digest: the longer one. */
  readonly pauseMs: number;
  /** The same as CPU time of the thread, which others on the machine do not lengthen. */
  readonly pauseCpuMs: number;
  readonly bytes: number;
};

export const scaleJob: WindowedJob = {
  window: { sizeMs: 60_000, slideMs: 30_000 },
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
  sumCount: 3,
};
const paneMs = scaleJob.window.slideMs;
const startMs = Date.UTC(2026, 0, 1);
const panes = 2;

/** Fills a task, takes checkpoints while a few ads change, restores the last one and closes every window. */
export async function measureStates(spec: StatesSpec): Promise<StatesFigures> {
  const { ads, events, checkpoints, changed } = spec;
  const expected = new Expected(ads, panes);
  const task = new Task(scaleJob, 0, 0);
  const load = new ScaleLoad(task);
  const publish = (by: Task): void => expected.compare(by.output(0, true).results, startMs, paneMs);
  collectGarbage();
  const rssBefore = process.memoryUsage.rss();
  for (let pane = 0; pane < panes; pane++) {
    fillPane(pane, ads, Math.floor(events / panes), (ad) => {
      expected.count(ad, pane, load.add(ad, startMs + pane * paneMs, paneMs));
    });
    load.flush();
    publish(task);
  }
  const cost = (load.applyMs * 1_000) / load.events;
  const { longestBatchMs } = load;
  const states = [...task.aggregate.panes.values()].reduce((sum, { count }) => sum + count, 0);
  collectGarbage();
  const rssBytes = process.memoryUsage.rss() - rssBefore;
  const taken = await takeCheckpoints(task, checkpoints, (turn) => {
    for (let at = 0; at < changed; at++) {
      const ad = (turn * changed + at * 7_919) % ads;
      expected.count(ad, panes - 1, load.add(ad, startMs + (panes - 1) * paneMs, paneMs));
    }
    load.flush();
    publish(task);
  });
  const startedAt = performance.now();
  const restored = Task.restore(scaleJob, 0, await wholeState(payloadCodec, taken.newest));
  const restoreMs = performance.now() - startedAt;
  if (Buffer.compare(restored.snapshot(), task.snapshot()) !== 0) {
    throw new Error(`the restored task of ${ads} ads differs`);
  }
  restored.decide(startMs + (panes + 2) * paneMs);
  publish(restored);
  return {
    states,
    cpuSecondsPerMillion: cost,
    longestBatchMs,
    rssBytes,
    peakRssBytes: taken.peakRss - rssBefore,
    checkpoints: taken.done,
    restoreMs,
    rows: expected.verdict(),
  };
}

/** As the run loop writes them: whole ones and deltas by the engine's own rules. */
async function takeCheckpoints(
  task: Task,
  count: number,
  change: (turn: number) => void,
): Promise<{ newest: Restorable; peakRss: number; done: Checkpointed[] }> {
  const chain = new CheckpointChain();
  const done: Checkpointed[] = [];
  let peakRss = 0;
  let stored: Pick<Restorable, "header" | "payload">[] = [];
  for (let turn = 0; turn < count; turn++) {
    change(turn);
    const [captured, copying] = timed(() => chain.capture(task, false));
    const payload = await payloadCodec.compress(captured.state);
    const header = checkpointHeader(task, captured, turn + 1);
    const [frame, framing] = timed(() => encodeFrame({ header, payload }));
    chain.durable(captured, { seq: turn + 1, digest: frameDigest(frame) });
    const whole = captured.delta === undefined;
    stored = [...(whole ? [] : stored), { header, payload }];
    peakRss = Math.max(peakRss, process.memoryUsage.rss());
    const pauseMs = Math.max(copying.ms, framing.ms);
    const pauseCpuMs = Math.max(copying.cpuMs, framing.cpuMs);
    done.push({ whole, pauseMs, pauseCpuMs, bytes: frame.length });
  }
  const newest = stored.at(-1);
  if (newest === undefined) throw new RangeError("--checkpoints must be 1 at least");
  return { newest: { ...newest, bases: stored.slice(0, -1) }, peakRss, done };
}

/** All ads occur, then any; half of those events repeat the ad before. */
function fillPane(seed: number, ads: number, events: number, add: (ad: number) => void): void {
  const random = randomBelow(seed);
  let ad = 0;
  for (let event = 0; event < events; event++) {
    if (event < ads) ad = event;
    else if (random(2) === 0) ad = random(ads);
    add(ad);
  }
}

function timed<T>(work: () => T): [T, { ms: number; cpuMs: number }] {
  const startedAt = performance.now();
  const before = process.threadCpuUsage();
  const outcome = work();
  const { user, system } = process.threadCpuUsage(before);
  return [outcome, { ms: performance.now() - startedAt, cpuMs: (user + system) / 1_000 }];
}

/** What nothing points to is not counted as memory of the task. */
export function collectGarbage(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}
