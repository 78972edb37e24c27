import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stateSchemaVersion } from "../src/checkpoint.ts";
import { migratable, migrateState } from "../src/state-migrations.ts";
import { Task } from "../src/task.ts";
import { readStoredState, stateFolder, type StoredState, tell } from "./fixtures/stored-states.ts";
import { columnsOf, record } from "./logged-records.ts";

/** Every state that earlier code left behind; a version without any is one that nobody can come from. */
const stored = Array.from({ length: stateSchemaVersion - 1 }, (_, index) => index + 1).flatMap(
  (version) =>
    readdirSync(stateFolder(version))
      .filter((file) => file.endsWith(".ckpt"))
      .map((file): [number, string] => [version, file.replace(/\.ckpt$/, "")]),
);

function restore({ header, state, job }: StoredState): Task {
  const task = Task.restore(job, 0, migrateState(header.stateSchemaVersion, state));
  for (const { watermark } of header.decisions) task.decide(watermark);
  return task;
}

describe("a checkpoint of state version", () => {
  test.each(stored)(
    "%d, %s, is gone on from to the results of the code that wrote it",
    (...which) => {
      const found = readStoredState(...which);
      expect(found.header.stateSchemaVersion).toBe(which[0]);
      expect(found.state.length).toBe(found.header.stateBytes);
      const { counts, ...told } = tell(restore(found), found.further);
      expect({ ...told, counts }).toEqual({
        ...found.told,
        counts: { duplicates: 0, ...found.told.counts },
      });
    },
  );

  test.each(stored)("%d, %s, is once migrated what this code writes", (...which) => {
    const { header, state, job } = readStoredState(...which);
    const migrated = migrateState(header.stateSchemaVersion, state);
    const task = Task.restore(job, 0, migrated);
    expect(Buffer.compare(task.snapshot(), migrated)).toBe(0);
    expect(header.counts).toEqual(task.counts);
  });

  test("1 keeps what the breaker remembers", () => {
    const found = readStoredState(1, "breaker");
    const task = restore(found);
    tell(task, found.further.slice(0, 96));
    // The hundredth, with three from before.
    const last = record(200, { rejected: "short frame" });
    expect(() => task.apply(columnsOf([last], 3), 201)).toThrow(
      expect.objectContaining({ code: "DEAD_LETTER_BREAKER" }),
    );
  });

  test("1 keeps the schemas that were decided to be unknown, and the last record", () => {
    const task = restore(readStoredState(1, "unknown-schemas"));
    expect([...task.unknownSchemas]).toEqual([7, 100_001]);
    expect(task.canary).toMatchObject({ offset: 30 });
    expect(restore(readStoredState(1, "empty")).canary).toBeUndefined();
  });

  test.each([0, -1, 1.5, Number.NaN, stateSchemaVersion + 1])(
    "%d waits for an operator",
    (version) => {
      expect(migratable(version)).toBe(false);
      expect(() => migrateState(version, new Uint8Array(100))).toThrow(
        expect.objectContaining({ code: "STATE_INCOMPATIBLE", exitCode: 78 }),
      );
    },
  );

  test("1 with bytes of another is refused", () => {
    const newer = migrateState(1, readStoredState(1, "one-pane").state);
    for (const bytes of [newer, newer.subarray(0, 60), new Uint8Array(0)]) {
      expect(() => migrateState(1, bytes)).toThrow(
        expect.objectContaining({ code: "CHECKPOINT_UNREADABLE" }),
      );
    }
  });

  test("of today is left as it is", () => {
    const state = migrateState(1, readStoredState(1, "closed-windows").state);
    expect(migrateState(stateSchemaVersion, state)).toBe(state);
  });
});
