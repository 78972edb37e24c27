import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ColumnReader, packColumns } from "../src/byte-layout.ts";
import { StreamError } from "../src/errors.ts";
import { Task } from "../src/task.ts";
import type { WindowedJob } from "../src/windowed-job.ts";
import { columnsOf, record } from "./logged-records.ts";

/** 16 bytes like a packed UUID, and text of another length. */
const idTexts = ["0123456789abcdef", "e2", "e3"];
const job: WindowedJob = {
  window: { sizeMs: 60, slideMs: 30 },
  watermarkDelayMs: 10,
  allowedLatenessMs: 40,
  maxFutureMs: 1_000,
  sumCount: 1,
  deduplicate: { horizonMs: 100, maxIds: 10 },
};

type Column = Float64Array | Int32Array | Uint8Array;

/** The columns of a snapshot with two keys, one closed window and two panes, by name. */
function snapshotColumns(): Map<string, Column> {
  const task = new Task(job, 0, 0);
  const times = [10, 20, 75];
  const records = times.map((eventTime, at) =>
    record(at, {
      eventTime,
      key: at === 1 ? "b" : "a",
      id: idTexts[at] ?? "",
      rejected: "accepted",
    }),
  );
  task.apply(columnsOf([...records, record(3, { rejected: "short frame" })]), 4);
  task.unknownSchemas.add(9);
  const reader = new ColumnReader(task.snapshot());
  const columns = new Map<string, Column>([
    ["task", reader.float64()],
    ["breaker", reader.float64()],
    ["schemas", reader.float64()],
    ["scalars", reader.float64()],
    ["key ends", reader.int32()],
    ["key bytes", reader.uint8()],
    ["closed", reader.float64()],
    ["pane 0", reader.float64()],
    ["keys 0", reader.int32()],
    ["cells 0", reader.float64()],
    ["pane 1", reader.float64()],
    ["keys 1", reader.int32()],
    ["cells 1", reader.float64()],
    ["id times", reader.float64()],
    ["id lengths", reader.uint8()],
    ["id bytes", reader.uint8()],
  ]);
  reader.end();
  return columns;
}

function restore(columns: ReadonlyMap<string, Column>): Task {
  return Task.restore(job, 0, packColumns([...columns.values()]));
}

describe("a snapshot", () => {
  test("has its columns in this order, keys by id and panes by start", () => {
    const columns = snapshotColumns();
    expect(columns.get("task")?.slice(0, 6)).toEqual(Float64Array.of(4, 75, 4, 0, 1, 3));
    expect(columns.get("breaker")).toEqual(Float64Array.of(3));
    expect(columns.get("schemas")).toEqual(Float64Array.of(9));
    expect(columns.get("scalars")).toEqual(Float64Array.of(75, Number.NEGATIVE_INFINITY, 2));
    expect(columns.get("key ends")).toEqual(Int32Array.of(1, 2));
    expect(Buffer.from(columns.get("key bytes") ?? []).toString()).toBe("ab");
    expect(columns.get("closed")).toEqual(Float64Array.of(-30, 6, 0, 6));
    expect(columns.get("pane 0")).toEqual(Float64Array.of(0));
    expect(columns.get("keys 0")).toEqual(Int32Array.of(0, 1));
    expect(columns.get("cells 0")).toEqual(Float64Array.of(1, 1, 10, 10, 1, 1, 2, 20, 20, 1));
    expect(columns.get("pane 1")).toEqual(Float64Array.of(60));
    expect(columns.get("id times")).toEqual(Float64Array.of(10, 20, 75));
    expect(columns.get("id lengths")).toEqual(Uint8Array.of(16, 1, 1));
    expect(Buffer.from(columns.get("id bytes") ?? []).toString("latin1")).toBe(
      "\u00ff0123456789abcdefe2e3",
    );
    expect(restore(columns).snapshot()).toEqual(packColumns([...columns.values()]));
  });

  const none = Number.NaN;
  test.each<[string, string, Column]>([
    ["scalars of the task are missing", "task", Float64Array.of(4, 75)],
    ["the next offset is no offset", "task", Float64Array.of(none, 75, 4, 0, 1, 3, 0, 0, 0)],
    ["the next offset is negative", "task", Float64Array.of(-1, 75, 4, 0, 1, 3, 0, 0, 0)],
    ["there are more scalars than known", "task", Float64Array.of(4, 75, 4, 0, 1, 3, 0, 0, 0, 0)],
    ["scalars of the aggregate are missing", "scalars", Float64Array.of(75, 75)],
    ["the watermark is no time", "scalars", Float64Array.of(none, 75, 2)],
    ["a pane is not counted", "scalars", Float64Array.of(75, 75, 1)],
    ["a pane is missing", "scalars", Float64Array.of(75, 75, 3)],
    ["the number of panes is none", "scalars", Float64Array.of(75, 75, none)],
    ["a key is empty", "key ends", Int32Array.of(0, 2)],
    ["a key ends before it begins", "key ends", Int32Array.of(2, 1)],
    ["a key ends behind the bytes", "key ends", Int32Array.of(1, 3)],
    ["bytes belong to no key", "key ends", Int32Array.of(1)],
    ["a key occurs twice", "key bytes", Uint8Array.of(97, 97)],
    ["a closed window has no version", "closed", Float64Array.of(-30, 6, 0)],
    ["a closed window is not aligned", "closed", Float64Array.of(-29, 6, 0, 6)],
    ["a pane has no start", "pane 0", Float64Array.of()],
    ["a pane is not aligned", "pane 0", Float64Array.of(1)],
    ["a pane starts nowhere", "pane 0", Float64Array.of(none)],
    ["a pane starts beyond exact numbers", "pane 0", Float64Array.of(3e17)],
    ["a pane occurs twice", "pane 1", Float64Array.of(0)],
    ["a pane has a key that does not exist", "keys 0", Int32Array.of(0, 2)],
    ["a pane has a negative key", "keys 0", Int32Array.of(0, -1)],
    ["a pane has a key twice", "keys 0", Int32Array.of(1, 1)],
    ["a cell has no key", "keys 0", Int32Array.of(0)],
    ["a cell is cut short", "cells 1", Float64Array.of(1, 2, 3, 4)],
    ["a cell is missing", "cells 0", Float64Array.of(1, 1, 10, 10, 1)],
    ["an event id has no time", "id times", Float64Array.of(10, 20)],
    ["the time of an event id is none", "id times", Float64Array.of(10, none, 75)],
    ["an event id has no length", "id lengths", Uint8Array.of(16, 1)],
    ["an event id ends behind the bytes", "id lengths", Uint8Array.of(16, 1, 2)],
    ["bytes belong to no event id", "id lengths", Uint8Array.of(16, 1, 0)],
    ["an event id occurs twice", "id bytes", Buffer.from("\u00ff0123456789abcdefe2e2", "latin1")],
  ])("is refused when %s", (_, name, column) => {
    const columns = snapshotColumns();
    expect(columns.has(name)).toBe(true);
    columns.set(name, column);
    expect(() => restore(columns)).toThrow(
      expect.objectContaining({ code: "CHECKPOINT_UNREADABLE", disposition: "stop" }),
    );
  });

  test("with event ids is refused by a job that does not deduplicate", () => {
    const packed = packColumns([...snapshotColumns().values()]);
    const { deduplicate: _, ...plain } = job;
    expect(() => Task.restore(plain, 0, packed)).toThrow(/event ids/);
  });

  test("of another number of sums is refused", () => {
    const packed = packColumns([...snapshotColumns().values()]);
    expect(() => Task.restore({ ...job, sumCount: 2 }, 0, packed)).toThrow(StreamError);
  });

  test("that is mutilated anywhere is restored or refused, and never ends in another way", () => {
    const packed = packColumns([...snapshotColumns().values()]);
    const eventTime = 90;
    const more = columnsOf([record(1_000, { eventTime })]);
    const edit = fc.tuple(fc.nat(packed.length - 1), fc.nat(255));
    const cut = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(packed.length));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 4 }), cut, (edits, removed) => {
        const broken = Uint8Array.from(packed.subarray(0, packed.length - removed));
        for (const [at, byte] of edits) if (at < broken.length) broken[at] = byte;
        try {
          Task.restore(job, 0, broken).apply(more, 1_001);
        } catch (error) {
          expect(error).toMatchObject({ name: "StreamError", code: "CHECKPOINT_UNREADABLE" });
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
