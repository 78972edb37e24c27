import { parseArgs } from "node:util";
import { createColumns } from "@adstream/engine/columns";
import { decodeFrame, encodeFrame } from "@adstream/engine/checkpoint";
import { Task } from "@adstream/engine/task";
import { mostDeduplicatedIds } from "@adstream/engine/deduplicate";
import type { WindowedJob } from "@adstream/engine/windowed-job";
import { adName } from "./ad-events.ts";
import { checkpointHeader, payloadCodec } from "./checkpoint-frame.ts";
import { applyIds, type IdCosts } from "./event-ids.ts";
import type { Origin } from "./machine.ts";
import { type Bench, type Cell, type Figures, figuresText, type ResultTable } from "./results.ts";
import { median, percentile } from "./table.ts";
import { count } from "./option-values.ts";

type Report = Origin & {
  /** Open (ad, window) results the task could still change. */
  readonly states: number;
  readonly ads: number;
  /** Of deduplication; absent without it. */
  readonly ids?: IdCosts;
  readonly stateBytes: number;
  readonly frameBytes: number;
  readonly runs: readonly Run[];
};

/** Milliseconds of one checkpoint and one restore. */
type Run = {
  /** The task stands still for it. */
  readonly pauseMs: number;
  /** Compression, on the thread pool while the task goes on, and the frame with its digest. */
  readonly encodeMs: number;
  /** Frame checked, decompressed and made a task again: what a restart waits for, but for the file. */
  readonly restoreMs: number;
};

export const checkpointUsage =
  "pnpm bench checkpoint [--states 100000] [--ids 0] [--runs 9] [--json]";

/** The processor's defaults. */
const job: WindowedJob = {
  window: { sizeMs: 60_000, slideMs: 30_000 },
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
  sumCount: 3,
};
/** Events in two neighbouring panes keep three windows open. */
const windowsPerAd = 3;
const startMs = Date.UTC(2026, 0, 1);

/** Takes and restores checkpoints of one task with many open windows. @returns the exit code: 1 when a restored one differs */
export async function checkpoint(args: readonly string[], bench: Bench): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      states: { type: "string", default: "100000" },
      ids: { type: "string", default: "0" },
      runs: { type: "string", default: "9" },
      json: { type: "boolean", default: false },
    },
  });
  const ads = Math.ceil(count("states", values.states) / windowsPerAd);
  const runs = count("runs", values.runs);
  const ids = Number(values.ids) === 0 ? 0 : count("ids", values.ids);
  const deduplicate = { horizonMs: 600_000, maxIds: mostDeduplicatedIds };
  const by = ids === 0 ? job : { ...job, deduplicate };
  const task = filledTask(by, ads);
  const paneMs = startMs + job.window.slideMs;
  const costs = ids === 0 ? {} : { ids: applyIds(task, filledTask(job, ads), ids, paneMs) };
  const done: Run[] = [];
  let frame: Uint8Array = new Uint8Array(0);
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    const state = task.snapshot();
    const snapshotAt = performance.now();
    const header = checkpointHeader(task, { state, delta: undefined }, 1);
    frame = encodeFrame({ header, payload: await payloadCodec.compress(state) });
    const encodedAt = performance.now();
    const restored = await restore(by, frame, state.length);
    const restoredAt = performance.now();
    if (Buffer.compare(restored.snapshot(), state) !== 0) {
      process.stderr.write("the restored task differs\n");
      return 1;
    }
    done.push({
      pauseMs: snapshotAt - startedAt,
      encodeMs: encodedAt - snapshotAt,
      restoreMs: restoredAt - encodedAt,
    });
  }
  const stateBytes = task.snapshot().length;
  const states = ads * windowsPerAd;
  const frameBytes = frame.length;
  const report = { ...bench.from, states, ads, ...costs, stateBytes, frameBytes, runs: done };
  const figures = figuresOf(report);
  process.stdout.write(
    values.json ? `${JSON.stringify(report, null, 2)}\n` : figuresText(bench.from, figures),
  );
  bench.save(figures);
  return 0;
}

async function restore(by: WindowedJob, frame: Uint8Array, stateBytes: number): Promise<Task> {
  const { payload } = decodeFrame(frame);
  return Task.restore(by, 0, await payloadCodec.decompress(payload, stateBytes));
}

/** A task that has counted two events of each ad, half a minute apart. */
function filledTask(by: WindowedJob, ads: number): Task {
  const names = Array.from({ length: ads }, (_, ad) => Buffer.from(adName(ad)));
  const columns = createColumns(job.sumCount, ads);
  columns.bytes = Buffer.concat(names);
  columns.count = ads;
  let start = 0;
  for (const [row, name] of names.entries()) {
    columns.keyStart[row] = start;
    columns.keyLength[row] = name.length;
    // Like real ones: two small counts and a cost, told apart by a multiplication without meaning.
    for (const [sum, column] of columns.values.entries()) {
      const mixed = (row * 7_919 + sum) % 9_973;
      column[row] = sum === 2 ? mixed / 100 : mixed % 50;
    }
    start += name.length;
  }
  const task = new Task(by, 0, 0);
  for (const pane of [0, 1]) {
    const time = startMs + pane * job.window.slideMs;
    for (let row = 0; row < ads; row++) columns.offset[row] = pane * ads + row;
    for (let row = 0; row < ads; row++) columns.eventTime[row] = time + ((row * 31) % 29_989);
    columns.recordTime.set(columns.eventTime);
    task.apply(columns, (pane + 1) * ads);
  }
  task.output(0, true);
  return task;
}

function figuresOf({ states, ads, ids, stateBytes, frameBytes, runs }: Report): Figures {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(2);
  const row = (name: string, values: readonly number[]): Cell[] => [
    name,
    median(values),
    percentile(values, 99),
    Math.max(...values),
  ];
  const times: ResultTable = {
    caption: "",
    columns: [
      { name: "ms" },
      { name: "median", digits: 1 },
      { name: "p99", digits: 1 },
      { name: "max", digits: 1 },
    ],
    rows: [
      row(
        "pause for the snapshot",
        runs.map(({ pauseMs }) => pauseMs),
      ),
      row(
        "compress and frame",
        runs.map(({ encodeMs }) => encodeMs),
      ),
      row(
        "restore",
        runs.map(({ restoreMs }) => restoreMs),
      ),
    ],
  };
  return {
    setting: `${states} open (ad, window) states of ${ads} ads, ${mib(stateBytes)} MiB of state, ${mib(frameBytes)} MiB a checkpoint, ${runs.length} runs`,
    tables: ids === undefined ? [times] : [idTable(ids), times],
    raw: { ids, runs },
  };
}

function idTable({ ids, plainNs, newIdNs, redeliveryNs, memoryBytesPerId }: IdCosts): ResultTable {
  return {
    caption: `${ids} event ids, UUIDs: ${memoryBytesPerId.toFixed(1)} bytes of memory each`,
    columns: [{ name: "a record" }, { name: "ns" }],
    rows: [
      ["without deduplication", plainNs],
      ["under a new id", newIdNs],
      ["redelivered", redeliveryNs],
    ],
  };
}
