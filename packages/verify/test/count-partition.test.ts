import { describe, expect, test } from "vitest";

import {
  type CountedWindow,
  type CountRules,
  type Decision,
  PartitionCounter,
} from "../src/count-partition.ts";
import { adStats } from "../src/jobs/ad-stats.ts";

const rules: CountRules = {
  job: adStats,
  windowSizeMs: 60_000,
  windowSlideMs: 30_000,
  watermarkDelayMs: 10_000,
  allowedLatenessMs: 0,
  maxFutureMs: 3_600_000,
};
const noon = Date.UTC(2026, 0, 1, 12);

const figures = { total_clicks: 1, total_views: 2, total_cost: 0.5 };

type Step = readonly [eventSeconds: number, recordSeconds?: number, key?: string];

/** Counts events at seconds after noon, with their record times, and lists what came out. */
function count(
  steps: readonly Step[],
  given: Partial<CountRules> = {},
  decisions: readonly Decision[] = [],
): unknown {
  const partition = new PartitionCounter({ ...rules, ...given }, decisions);
  const windows: CountedWindow[] = [];
  for (const [offset, step] of steps.entries()) {
    const [eventSeconds, recordSeconds = eventSeconds, key = "a"] = step;
    const event = { key, time: noon + eventSeconds * 1_000, figures };
    const recordTime = recordSeconds < 0 ? -1 : noon + recordSeconds * 1_000;
    partition.add({ offset, recordTime, event });
    windows.push(...partition.takeExpired());
  }
  windows.push(...partition.takeRest(steps.length));
  const counts = windows.flatMap(({ start, slots }) => {
    const time = new Date(start).toISOString().slice(11, 19).replace(/:00$/, "");
    return [...slots].map(([adId, slot]) => [`${time}/${adId}`, slot.count]);
  });
  const { duplicate, ...tally } = partition.tally;
  return { ...tally, ...Object.fromEntries(counts), ...(duplicate > 0 && { duplicate }) };
}

describe("windows", () => {
  test("of 12:00:20 are the two that begin at 11:59:30 and 12:00:00", () => {
    expect(count([[20]])).toEqual({ counted: 1, late: 0, dead: 0, "11:59:30/a": 1, "12:00/a": 1 });
  });

  test("begin with their start and end before their end", () => {
    expect(count([[30]])).toMatchObject({ "12:00/a": 1, "12:00:30/a": 1 });
    expect(count([[30]])).not.toHaveProperty("11:59:30/a");
  });

  test("hold times before the epoch", () => {
    const partition = new PartitionCounter(rules);
    const event = { key: "a", time: -1, figures };
    partition.add({ offset: 0, recordTime: -1, event });
    expect(partition.takeRest(1).map(({ start }) => start)).toEqual([-60_000, -30_000]);
  });
});

describe("the watermark", () => {
  // Window 11:59:30 ends at 30 s: it closes once the highest time reaches 40 s.
  test("closes a window when it reaches its end, not before", () => {
    expect(count([[39.999], [20]])).toMatchObject({ "11:59:30/a": 1, late: 0 });
    expect(count([[40], [20]])).not.toHaveProperty("11:59:30/a");
  });

  test("leaves an event in the window it is in time for", () => {
    expect(count([[40], [20]])).toMatchObject({ counted: 2, late: 0, "12:00/a": 2 });
  });

  test("makes an event late that has no window left", () => {
    expect(count([[70], [20]])).toMatchObject({ counted: 1, late: 1 });
  });

  test("allows for lateness", () => {
    expect(count([[70], [20]], { allowedLatenessMs: 10_001 })).toMatchObject({ late: 0 });
    expect(count([[70], [20]], { allowedLatenessMs: 10_000 })).toMatchObject({ late: 0 });
    expect(count([[80], [20]], { allowedLatenessMs: 10_000 })).toMatchObject({ late: 1 });
  });

  test("does not follow an event that is ahead of its record", () => {
    expect(count([[600, 20], [20]])).toMatchObject({ counted: 2, late: 0 });
  });

  test("follows the event where the record has no time", () => {
    expect(count([[600, -1], [20]])).toMatchObject({ counted: 1, late: 1 });
  });
});

describe("dead letters", () => {
  test("are events further ahead of their record than allowed", () => {
    expect(count([[3_600, 0]])).toMatchObject({ counted: 1, dead: 0 });
    expect(count([[3_600.001, 0]])).toMatchObject({ counted: 0, dead: 1 });
    expect(count([[9_999_999, -1]])).toMatchObject({ counted: 1, dead: 0 });
  });

  test.each([
    ["no value that can be read", undefined],
    ["an empty key", { key: "" }],
    ["a key of 257 bytes", { key: "é".repeat(128) + "x" }],
    ["an event id of 257 bytes", { eventId: "é".repeat(128) + "x" }],
    ["an empty event id", { eventId: "" }],
    ["no time", { time: Number.NaN }],
    ["a time that no calendar has", { time: 8.64e15 + 1 }],
  ])("are records with %s", (_, wrong) => {
    const partition = new PartitionCounter(rules);
    const sound = { key: "a", time: noon, figures };
    const event = wrong === undefined ? undefined : { ...sound, ...wrong };
    partition.add({ offset: 0, recordTime: -1, event });
    expect(partition.tally).toEqual({ counted: 0, late: 0, dead: 1, duplicate: 0 });
  });

  test("do not move the watermark", () => {
    expect(count([[7_200, 600, "a"], [20]])).toMatchObject({ dead: 1, late: 0 });
  });
});

describe("a decision", () => {
  const at = (nextOffset: number, seconds: number) => ({
    nextOffset,
    watermark: noon + seconds * 1_000,
  });

  // 20 s lies in 11:59:30, which ends at 30 s, and in 12:00, which ends at 60 s.
  test("closes windows before the record that came next", () => {
    expect(count([[20], [20]], {}, [at(1, 60)])).toEqual({
      counted: 1,
      late: 1,
      dead: 0,
      "11:59:30/a": 1,
      "12:00/a": 1,
    });
    expect(count([[20], [20]], {}, [at(1, 30)])).toMatchObject({ "11:59:30/a": 1, "12:00/a": 2 });
    expect(count([[20], [20]], {}, [at(2, 60)])).toMatchObject({ counted: 2 });
  });

  test("is not believed that closes a window without records", () => {
    expect(count([[20], [20]], {}, [at(1, 90)])).toMatchObject({ counted: 2, late: 0 });
    expect(count([[20]], {}, [at(0, 60)])).toMatchObject({ counted: 1 });
  });
});

describe("windows", () => {
  const windowsOf = (seconds: readonly number[], given: Partial<CountRules> = {}) => {
    const partition = new PartitionCounter({ ...rules, ...given });
    for (const [offset, second] of seconds.entries()) {
      const time = noon + second * 1_000;
      const event = { key: "a", time, figures };
      partition.add({ offset, recordTime: time, event });
    }
    const told = ({ start, slots, closed }: CountedWindow) => {
      return [(start - noon) / 1_000, closed, slots.get("a")?.corrected];
    };
    return [partition.takeExpired().map(told), partition.takeRest(99).map(told)];
  };

  test("are given away, oldest first, when no record can change them", () => {
    expect(windowsOf([20, 75])).toEqual([
      [
        [-30, true, false],
        [0, true, false],
      ],
      [
        [30, false, false],
        [60, false, false],
      ],
    ]);
  });

  test("that are final stay as long as they may be corrected", () => {
    expect(windowsOf([20, 75, 25], { allowedLatenessMs: 60_000 })).toEqual([
      [],
      [
        [-30, true, true],
        [0, true, true],
        [30, false, false],
        [60, false, false],
      ],
    ]);
  });
});

describe("duplicates", () => {
  const minute = 60_000;
  const idsOf = (steps: readonly (readonly [number, string?])[]) => {
    const partition = new PartitionCounter({ ...rules, deduplicateHorizonMs: 10 * minute });
    return steps.map(([minutes, eventId], offset) => {
      const time = noon + minutes * minute;
      const event = { key: "a", time, figures, eventId };
      return partition.add({ offset, recordTime: time, event });
    });
  };

  test("are events of an id that was seen within the horizon, late ones included", () => {
    expect(
      idsOf([
        [0, "x"],
        [0, "x"],
        [0, "y"],
        [5, "x"],
      ]),
    ).toEqual(["counted", "duplicate", "counted", "duplicate"]);
  });

  test("are not events without an id, or of an id that is forgotten", () => {
    expect(idsOf([[0], [0], [0, "x"], [20], [20, "x"]])).not.toContain("duplicate");
  });
});
