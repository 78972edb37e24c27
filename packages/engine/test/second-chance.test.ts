import { beforeEach, describe, expect, test } from "vitest";
import type { RecordColumns } from "../src/columns.ts";
import { StreamError } from "../src/errors.ts";
import type { LogHandler } from "../src/ports.ts";
import { assign, live } from "./fakes/drive-process.ts";
import { FakeProcess, FakeWorld, testJob } from "./fakes/fake-process.ts";
import { record } from "./logged-records.ts";
import { batchOracle } from "./oracle.ts";

let world: FakeWorld;
let one: FakeProcess;

beforeEach(() => {
  world = new FakeWorld();
  one = new FakeProcess(world);
});

const records = Array.from({ length: 30 }, (_, offset) => record(offset, { eventTime: offset }));

/** A bug that shows at one offset: the columns of its batch cannot be read. Ends after `times`. */
function buggy(handler: LogHandler, offset: number, times: number): LogHandler {
  let left = times;
  return {
    assigned: (partitions) => handler.assigned(partitions),
    apply(partition, columns, nextOffset) {
      const hit = left > 0 && columns.offset.subarray(0, columns.count).includes(offset);
      if (hit) left--;
      return handler.apply(partition, hit ? broken(columns) : columns, nextOffset);
    },
    atLogEnd: (partition, nextOffset) => handler.atLogEnd(partition, nextOffset),
    schemaUnknown: (partition, schemaId) => handler.schemaUnknown(partition, schemaId),
    unknownSchemas: (partition) => handler.unknownSchemas(partition),
    beforeRejoin: (budgetMs) => handler.beforeRejoin(budgetMs),
  };
}

/** Half of the batch is applied when it fails. */
function broken(columns: RecordColumns): RecordColumns {
  const half = columns.count >> 1;
  const keyStart = new Proxy(columns.keyStart, {
    get(target, name) {
      if (name === String(half)) throw new TypeError("a bug");
      return Reflect.get(target, name, target);
    },
  });
  return { ...columns, keyStart };
}

describe("a failure nobody foresaw", () => {
  test("is met once more from the checkpoint, and nothing of the first attempt is left", async () => {
    one.source.handler = buggy(one.runner, 15, 1);
    await assign(one, 0);
    world.log.append(0, ...records);
    await live(8, one);
    expect(one.fatal).toEqual([]);
    expect(one.trace).toContain("retried p0");
    expect(one.runner.tasks[0]?.task.counts).toMatchObject({ in: 30, late: 0 });
    const entries = records.map((one) => ({ record: one }));
    expect(world.seen.results).toEqual(batchOracle(testJob, entries).results);
  });

  test("ends the process the second time, with the offsets it failed on", async () => {
    one.source.handler = buggy(one.runner, 15, 2);
    await assign(one, 0);
    world.log.append(0, ...records);
    one.source.deliver();
    await live(0, one);
    await world.clock.advance(100);
    expect(() => one.source.deliver()).toThrow(
      new StreamError(
        "INTERNAL",
        "stop",
        "events partition 0, offsets 10 to 19 failed twice: unexpected TypeError: a bug",
      ),
    );
    expect(world.kinds()).toBe("claim checkpoint claim");
  });

  test("has another chance once a checkpoint lies behind the first one", async () => {
    one.source.handler = buggy(buggy(one.runner, 15, 1), 25, 1);
    await assign(one, 0);
    world.log.append(0, ...records.slice(0, 20));
    await live(8, one);
    world.log.append(0, ...records.slice(20));
    await live(8, one);
    expect(one.fatal).toEqual([]);
    expect(one.runner.tasks[0]?.task.nextOffset).toBe(30);
  });

  test("while results are encoded has one chance as well", async () => {
    let failures = 0;
    one.beforeAck = async () => {
      failures++;
      throw new TypeError("a bug");
    };
    await assign(one, 0);
    world.log.append(0, ...records.slice(0, 10));
    await live(4, one);
    expect(failures).toBe(2);
    expect(one.fatal).toMatchObject([{ code: "INTERNAL", exitCode: 70 }]);
    expect(String(one.fatal[0])).toMatch(/events partition 0, offsets 0 to 9 failed twice/);
  });

  test("that we did foresee ends the process at once", async () => {
    const failure = new StreamError("PUBLISH_DEADLINE", "stop", "not acknowledged");
    one.beforeAck = () => Promise.reject(failure);
    await assign(one, 0);
    world.log.append(0, ...records.slice(0, 10));
    await live(2, one);
    expect(one.fatal).toEqual([failure]);
    expect(one.trace).not.toContain("retried p0");
  });
});
