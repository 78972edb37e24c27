import { decodeFrame, encodeFrame } from "../../src/checkpoint.ts";
import type { CheckpointStore, PayloadCodec, ResultLog } from "../../src/ports.ts";
import { TaskCheckpoints } from "../../src/task-checkpoints.ts";
import { Task } from "../../src/task.ts";
import { mergeResults, resultDocumentId } from "../../../sink/src/merge.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Settings } from "./settings.ts";
import type { MakeApplier } from "./sink-process.ts";

/** One safety mechanism switched off, to show that the checks would notice. */
export type Mutant = {
  readonly store?: (store: CheckpointStore, process: SimulatedProcess) => CheckpointStore;
  readonly results?: (results: ResultLog, process: SimulatedProcess) => ResultLog;
  readonly codec?: (codec: PayloadCodec, settings: Settings) => PayloadCodec;
  readonly applier?: MakeApplier;
  /** Records left out at a start. */
  readonly skipAhead?: (process: SimulatedProcess) => number;
  /** Changes the engine for the length of a run. */
  readonly patch?: () => Disposable;
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
    patch: () => replaced(TaskCheckpoints.prototype, "mayPublish", async () => true),
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

function replaced<T extends object, K extends keyof T>(holder: T, name: K, by: T[K]): Disposable {
  const original = holder[name];
  holder[name] = by;
  return {
    [Symbol.dispose]() {
      holder[name] = original;
    },
  };
}
