import { describe, expect, test } from "vitest";
import { CheckpointChain } from "../src/checkpoint-chain.ts";
import { CheckpointLadder } from "../src/checkpoint-ladder.ts";
import { decodeFrame, encodeFrame } from "../src/checkpoint.ts";
import { StreamError } from "../src/errors.ts";
import { StateImage } from "../src/state-image.ts";
import { Task } from "../src/task.ts";
import { wholeState } from "../src/whole-state.ts";
import { memoryCheckpointStore } from "./conformance/memory-checkpoint-store.ts";
import { testJob as chainJob } from "./fakes/fake-process.ts";
import { checkpointFrame } from "./fakes/frames.ts";
import { stateShapes } from "./fixtures/state-shapes.ts";
import { tell } from "./fixtures/stored-states.ts";
import { columnsOf, record } from "./logged-records.ts";
import { type Random, seededRandom } from "./simulation/random.ts";

/** States that are there to be damaged, one of each shape. */
const states = stateShapes.map(({ name, job, history, further, unknownSchemas = [] }) => {
  const task = new Task(job, 0, history[0]?.offset ?? 0);
  for (const id of unknownSchemas) task.unknownSchemas.add(id);
  task.apply(columnsOf(history, job.sumCount), (history.at(-1)?.offset ?? -1) + 1);
  task.output(0, false);
  return { name, job, further, state: task.snapshot() };
});

/** Those whose history can be cut in two. */
const deltas = stateShapes.filter(({ history }) => history.length > 1);
const rounds = Number(process.env["FUZZ_CHECKPOINTS"] ?? 1_000);
const plain = {
  compress: async (bytes: Uint8Array) => bytes,
  decompress: async (bytes: Uint8Array) => bytes,
};
/** For restoring a damaged state and going on with it; a sound one takes a few. */
const maxMs = 500;

/** What reading these bytes ends in; an error of any other kind gets through. */
function outcomeOf(read: () => unknown): "accepted" | StreamError["code"] {
  try {
    read();
    return "accepted";
  } catch (error) {
    if (error instanceof StreamError) return error.code;
    throw error;
  }
}

describe("a file of 4 KiB", () => {
  const payload = Uint8Array.from({ length: 4_096 - 600 }, (_, at) => (at * 167) >> 3);
  const file = Buffer.from(encodeFrame(checkpointFrame(7, {}, payload)));

  test("with one byte changed, whichever it is, is refused", () => {
    for (let at = 0; at < file.length; at++) {
      const damaged = Buffer.from(file);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      expect([at, outcomeOf(() => decodeFrame(damaged))]).toEqual([at, "CHECKPOINT_UNREADABLE"]);
    }
  });

  test("cut at either end, wherever, is refused", () => {
    for (let cut = 1; cut <= file.length; cut++) {
      expect(outcomeOf(() => decodeFrame(file.subarray(cut)))).toBe("CHECKPOINT_UNREADABLE");
      expect(outcomeOf(() => decodeFrame(file.subarray(0, -cut)))).toBe("CHECKPOINT_UNREADABLE");
    }
  });

  test("with parts exchanged, doubled or left out is refused", () => {
    const random = seededRandom(3);
    for (let round = 0; round < rounds; round++) {
      const [a = 0, b = 0, c = 0] = [0, 0, 0]
        .map(() => random.below(file.length + 1))
        .toSorted((one, other) => one - other);
      const parts = [
        file.subarray(0, a),
        file.subarray(a, b),
        file.subarray(b, c),
        file.subarray(c),
      ];
      const [head = file, first = file, second = file, tail = file] = parts;
      const built = [
        [head, second, first, tail],
        [head, first, first, second, tail],
        [head, second, tail],
      ].map((pieces) => Buffer.concat(pieces));
      for (const damaged of built) {
        if (damaged.equals(file)) continue;
        expect(outcomeOf(() => decodeFrame(damaged))).toBe("CHECKPOINT_UNREADABLE");
      }
    }
  });
});

describe("a chain of deltas", () => {
  test("with one byte changed anywhere ends below the change, never in another state", async () => {
    const { objects, states: sound } = await chained();
    const random = seededRandom(11);
    for (let round = 0; round < rounds; round++) {
      const store = memoryCheckpointStore(new Map(objects));
      const [name, bytes] = random.pick([...objects]);
      const damaged = Buffer.from(bytes);
      const at = random.below(damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
      store.objects.set(name, damaged);
      const seq = Number(name.slice(-12));
      const { checkpoint, unreadable } = await new CheckpointLadder(store, "job", 0).newest();
      expect([checkpoint?.header.seq ?? 0, unreadable]).toEqual([seq - 1, 11 - seq]);
      if (checkpoint === undefined) continue;
      const state = await wholeState(plain, checkpoint);
      expect(Buffer.compare(state, sound.get(checkpoint.header.seq) ?? Buffer.of())).toBe(0);
    }
  });
});

/** A whole state with nine deltas on it, and the state of every number. */
async function chained(): Promise<{
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly states: ReadonlyMap<number, Uint8Array>;
}> {
  const store = memoryCheckpointStore();
  const ladder = new CheckpointLadder(store, "job", 0);
  const keys = Array.from({ length: 100 }, (_, at) => `ad ${at}`);
  const task = new Task(chainJob, 0, 0);
  const states = new Map<number, Uint8Array>();
  const chain = new CheckpointChain(1);
  for (let seq = 1; seq <= 10; seq++) {
    const changed = states.size === 0 ? keys : keys.slice(seq, seq + 1);
    const offset = task.nextOffset;
    const records = changed.map((key, at) => record(offset + at, { key, eventTime: 7 }));
    task.apply(columnsOf(records), offset + records.length);
    task.output(0, false);
    const captured = chain.capture(task, false);
    const { state, delta } = captured;
    const frame = checkpointFrame(seq, { job: "job", delta, stateBytes: state.length }, state);
    const created = await ladder.create(frame, new Set());
    if (created.outcome === "mine") chain.durable(captured, { seq, digest: created.digest });
    states.set(seq, task.snapshot());
  }
  return { objects: store.objects, states };
}

describe("a state whose checksum is right and whose content is not", () => {
  test.each(states)(
    "$name is refused, or a state that goes on in no time",
    { timeout: 120_000 },
    ({ job, further, state }) => {
      const random = seededRandom(5);
      const outcomes = { accepted: 0, refused: 0 };
      const turns = Math.ceil((rounds * 4) / states.length);
      for (let round = 0; round < turns; round++) {
        const damaged = damage(state, random);
        const startedAt = performance.now();
        const outcome = outcomeOf(() => {
          const task = Task.restore(job, 0, damaged);
          outcomes.accepted++;
          const offset = Math.max(task.nextOffset, 0);
          const moved = further.map((record, at) => ({ ...record, offset: offset + at }));
          if (Number.isSafeInteger(offset + moved.length)) tell(task, moved);
          task.decide(Date.UTC(2026, 1, 1));
          task.output(0, false);
          Task.restore(job, 0, task.snapshot());
        });
        const hex = Buffer.from(damaged).toString("hex").slice(0, 2_000);
        expect(performance.now() - startedAt, hex).toBeLessThan(maxMs);
        if (outcome === "accepted") continue;
        outcomes.refused++;
        expect(["CHECKPOINT_UNREADABLE", "DEAD_LETTER_BREAKER", "DEDUPLICATION_FULL"]).toContain(
          outcome,
        );
      }
      expect(outcomes.refused).toBeGreaterThan(turns / 10);
    },
  );
});

describe("a delta whose checksum is right and whose content is not", () => {
  test("is refused, or makes a state that is refused or goes on", { timeout: 120_000 }, () => {
    const random = seededRandom(7);
    const outcomes = { accepted: 0, refused: 0 };
    for (const { job, history, further } of deltas) {
      const half = history.length >> 1;
      const task = new Task(job, 0, history[0]?.offset ?? 0);
      task.apply(columnsOf(history.slice(0, half), job.sumCount), history[half]?.offset ?? 0);
      const base = task.snapshot();
      const { mark } = task;
      task.apply(columnsOf(history.slice(half), job.sumCount), (history.at(-1)?.offset ?? 0) + 1);
      task.output(0, false);
      const delta = task.delta(mark);
      if (delta === undefined) continue;
      for (let round = 0; round < Math.ceil(rounds / deltas.length); round++) {
        const damaged = damage(delta, random);
        const outcome = outcomeOf(() => {
          const image = StateImage.of(base);
          image.apply(damaged);
          const restored = Task.restore(job, 0, image.pack());
          const offset = Math.max(restored.nextOffset, 0);
          const moved = further.map((record, at) => ({ ...record, offset: offset + at }));
          if (Number.isSafeInteger(offset + moved.length)) tell(restored, moved);
        });
        outcomes[outcome === "accepted" ? "accepted" : "refused"]++;
        expect([
          "accepted",
          "CHECKPOINT_UNREADABLE",
          "DEAD_LETTER_BREAKER",
          "DEDUPLICATION_FULL",
        ]).toContain(outcome);
      }
    }
    expect(outcomes.refused).toBeGreaterThan(rounds / 3);
  });
});

const hostile = [
  -1,
  0,
  1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  -(2 ** 53),
  1e300,
  Number.NaN,
  Infinity,
  -Infinity,
];

/** One or two changes: numbers first, since most bytes of a state are of numbers. */
function damage(state: Uint8Array, random: Random): Uint8Array {
  let bytes: Buffer = Buffer.from(state);
  for (let change = random.below(2); change >= 0; change--) {
    const at = random.below(bytes.length);
    const aligned = Math.min(at - (at % 8), bytes.length - 8);
    const kind = random.below(6);
    if (kind <= 2 && aligned >= 0) bytes.writeDoubleLE(random.pick(hostile), aligned);
    else if (kind === 3) bytes[at] = random.below(256);
    else if (kind === 4)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(16))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(bytes.length))]);
  }
  return bytes;
}
