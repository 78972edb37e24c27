import { decodeFrame, encodeFrame } from "../../src/checkpoint.ts";
import { CheckpointChain } from "../../src/checkpoint-chain.ts";
import { CheckpointLadder } from "../../src/checkpoint-ladder.ts";
import { rejectCode } from "../../src/columns.ts";
import type { CheckpointStore, PayloadCodec, ResultLog } from "../../src/ports.ts";
import { completeness } from "../../src/watermark.ts";
import { WindowedAggregate } from "../../src/windowed-aggregate.ts";
import type { AdStats } from "../../../contracts/src/ad-stats.ts";
import { TaskCheckpoints } from "../../src/task-checkpoints.ts";
import { Task } from "../../src/task.ts";
import { mergeResults, resultDocumentId } from "../../../sink/src/merge.ts";
import type { SimulatedProcess } from "./process.ts";
import { slotKey } from "./result-log.ts";
import { maxFutureMs, type Settings } from "./settings.ts";
import type { MakeApplier } from "./sink-process.ts";
import { epochMs, type World } from "./world.ts";

/** One safety mechanism switched off, to show that the checks would notice. */
export type Mutant = {
  readonly store?: (store: CheckpointStore, process: SimulatedProcess) => CheckpointStore;
  readonly results?: (results: ResultLog, process: SimulatedProcess) => ResultLog;
  readonly codec?: (codec: PayloadCodec, settings: Settings) => PayloadCodec;
  readonly applier?: MakeApplier;
  /** Records left out at a start. */
  readonly skipAhead?: (process: SimulatedProcess) => number;
  /** Changes the engine for the length of a run. */
  readonly patch?: (world: World) => Disposable;
  /** What the processors are told instead. */
  readonly settings?: (settings: Settings) => Settings;
  /** What is left of the results topic for those who read it from its beginning. */
  readonly compact?: (rows: readonly AdStats[]) => readonly AdStats[];
};

const never = new AbortController().signal;

export const mutants = {
  none: {},

  "overwrite instead of create": {
    store: (store) => ({
      ...store,
      create: async (name, bytes) => {
        await store.remove(name);
        return store.create(name, bytes);
      },
    }),
  },

  "checkpoint before publish": {
    results: (results, process) => ({
      publish: async (output) => {
        const late = process.clock.sleep(500, never).then(async () => results.publish(output));
        late.catch(() => {});
      },
    }),
  },

  "offsets without state": {
    // A delta is no state, and says so.
    settings: ({ beats, ...settings }) => ({
      ...settings,
      beats: { ...beats, deltaFromBytes: Number.POSITIVE_INFINITY },
    }),
    codec: (codec, { job }) => ({
      ...codec,
      decompress: async (bytes, maxBytes) => {
        const whole = Task.restore(job.windowed, 0, await codec.decompress(bytes, maxBytes));
        return new Task(job.windowed, 0, whole.nextOffset).snapshot();
      },
    }),
  },

  "position skips ahead": {
    skipAhead: ({ world }) => (world.strikes(0.3) ? world.random.between(1, 3) : 0),
  },

  "no version guard": {
    applier: (store, { clock }) => ({
      forget() {},
      async apply(rows) {
        for (const row of rows) {
          const id = resultDocumentId(row);
          for (let done = false; !done;) {
            try {
              const found = (await store.find([id])).get(id);
              const before = found === undefined || "reason" in found ? undefined : found;
              const { [`p${row.slot}`]: _older, ...slots } = before?.slots ?? {};
              const after = mergeResults(before && { ...before, slots }, [row], new Date(0));
              if (after === undefined) break;
              const written = await (before === undefined
                ? store.write([], [after])
                : store.write([{ id, rev: before.rev, set: after }], []));
              done = written.matched + written.upserted > 0;
            } catch {
              await clock.sleep(1_000, never);
            }
          }
        }
        const counts = { updated: 0, inserted: 0, stale: 0, races: 0, outages: 0 };
        return { ...counts, refused: [], written: [] };
      },
    }),
  },

  "no ownership check before publishing": {
    patch: () => replaced(TaskCheckpoints.prototype, "mayPublish", () => async () => true),
  },

  "an ambiguous answer taken as a fence": {
    store: (store) => {
      const disputed = new Set<string>();
      return {
        ...store,
        create: async (name, bytes) => {
          disputed.add(name);
          const created = await store.create(name, bytes);
          if (created === "created") disputed.delete(name);
          return created;
        },
        // Read back without its nonce, a writer cannot know its own object.
        read: async (name) => {
          const bytes = await store.read(name);
          return bytes !== undefined && disputed.has(name) ? withoutNonce(bytes) : bytes;
        },
      };
    },
  },

  "lateness judged by the batch": {
    patch: () => {
      return replaced(
        Task.prototype,
        "apply",
        (apply) =>
          function applyAtOnce(this: Task, columns, next) {
            const { watermarkDelayMs } = this.job;
            for (let row = 0; row < columns.count; row++) {
              if (columns.rejected[row] !== 0) continue;
              const logged = columns.recordTime[row] ?? -1;
              const complete = completeness(columns.eventTime[row] ?? 0, logged);
              this.decide(complete - watermarkDelayMs);
            }
            apply.call(this, columns, next);
          },
      );
    },
  },

  "future guard on the wall clock": {
    settings: (settings) => {
      const { job } = settings;
      const windowed = { ...job.windowed, maxFutureMs: 1e12 };
      return { ...settings, job: { ...job, windowed } };
    },
    patch: (world) => {
      const ahead = rejectCode("event time ahead of the record");
      return replaced(
        WindowedAggregate.prototype,
        "apply",
        (apply) =>
          function guarded(this: WindowedAggregate, columns, aside) {
            const latest = epochMs + world.nowMs + maxFutureMs;
            for (let row = 0; row < columns.count; row++) {
              if (columns.rejected[row] === 0 && (columns.eventTime[row] ?? 0) > latest) {
                columns.rejected[row] = ahead;
              }
            }
            apply.call(this, columns, aside);
          },
      );
    },
  },

  "sink rebuilt from a compacted topic": {
    compact: (rows) => [...new Map(rows.map((row) => [slotKey(row), row])).values()],
  },

  "results acknowledged and not written": {
    results: (results, { world }) => ({
      publish: async (output) => {
        if (!world.strikes(0.1)) await results.publish(output);
      },
    }),
  },

  "decisions published before they are durable": {
    store: (store, { clock }) => ({
      ...store,
      create: async (name, bytes) => {
        const { header } = decodeFrame(bytes);
        if (header.kind === "claim" || header.decisions.length === 0) {
          return store.create(name, bytes);
        }
        const late = clock.sleep(2_000, never).then(async () => store.create(name, bytes));
        late.catch(() => {});
        return "created";
      },
    }),
  },

  "same epoch after a fallback": {
    patch: () => {
      return replaced(
        CheckpointLadder.prototype,
        "newest",
        (newest) =>
          async function silent(this: CheckpointLadder) {
            return { ...(await newest.call(this)), unreadable: 0 };
          },
      );
    },
  },

  "no fence": {
    patch: () => {
      const published = replaced(TaskCheckpoints.prototype, "mayPublish", () => async () => true);
      const written = replaced(
        TaskCheckpoints.prototype,
        "write",
        (write) =>
          async function onwards(this: TaskCheckpoints, snapshot) {
            for (let attempt = 0; attempt < 100; attempt++) {
              const outcome = await write.call(this, snapshot);
              if (outcome !== "fenced") return outcome;
              this.seq++;
            }
            return "fenced";
          },
      );
      return {
        [Symbol.dispose]() {
          written[Symbol.dispose]();
          published[Symbol.dispose]();
        },
      };
    },
  },

  "a delta on a base that is not its own": {
    patch: () => {
      return replaced(
        CheckpointChain.prototype,
        "durable",
        (durable) =>
          function mistaken(this: CheckpointChain, captured, written) {
            durable.call(this, captured, captured.delta ?? written);
          },
      );
    },
  },

  "late records not counted": {
    patch: () => {
      return replaced(
        Task.prototype,
        "apply",
        (apply) =>
          function forgetful(this: Task, columns, next) {
            apply.call(this, columns, next);
            this.counts.late = 0;
          },
      );
    },
  },
} satisfies Record<string, Mutant>;
export type MutantName = keyof typeof mutants;

function withoutNonce(bytes: Uint8Array): Uint8Array {
  try {
    const { header, payload } = decodeFrame(bytes);
    return encodeFrame({ header: { ...header, writer: { ...header.writer, nonce: "" } }, payload });
  } catch {
    return bytes;
  }
}

/** Until it is disposed of, `holder` does what `by` makes of its own method. */
function replaced<T extends object, K extends keyof T>(
  holder: T,
  name: K,
  by: (original: T[K]) => T[K],
): Disposable {
  const original = holder[name];
  holder[name] = by(original);
  return {
    [Symbol.dispose]() {
      holder[name] = original;
    },
  };
}
