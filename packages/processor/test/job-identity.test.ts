import { readEnvironment } from "@adstream/service/environment";
import { expect, test } from "vitest";
import { environment } from "../src/config.ts";
import { eventProjection, jobIdentity } from "../src/job-identity.ts";
import type { Job, Measure } from "../src/job.ts";
import { adStats } from "../src/jobs/ad-stats.ts";
import { campaignCounts } from "../src/jobs/campaign-counts.ts";

function identity(
  env: Readonly<Record<string, string>> = {},
  job: Job = adStats,
): ReturnType<typeof jobIdentity> {
  const config = readEnvironment(environment, { env: { ...env }, file: null });
  return jobIdentity(job, config, async () => 0);
}

test("the digest without a limit of keys is that of the checkpoints which are out there", () => {
  const { windowed, topology, topologyOf } = identity();
  expect(topologyOf?.({ ...windowed, maxKeys: undefined })).toBe("d570be85c6ea0889");
  expect(topologyOf?.({ ...windowed, maxKeys: 1_000_000 })).toBe(topology);
  expect(identity({ MAX_KEYS: "7" })).toMatchObject({ windowed: { maxKeys: 7 } });
});

test("without deduplication its other settings mean nothing, and no event id is read", () => {
  const off = { DEDUPLICATE_HORIZON: "1m", DEDUPLICATE_MAX_IDS: "7" };
  expect(identity(off)).toMatchObject({ topology: identity().topology });
  expect(identity(off).windowed).not.toHaveProperty("deduplicate");
  expect(eventProjection(adStats, { DEDUPLICATE: "off" })).not.toHaveProperty("id");
});

test("with deduplication the digest covers the horizon, and not how many ids there may be", () => {
  const on = { DEDUPLICATE: "event_id" };
  const { topology, windowed } = identity(on);
  expect(windowed.deduplicate).toEqual({ horizonMs: 600_000, maxIds: 2_000_000 });
  expect(eventProjection(adStats, { DEDUPLICATE: "event_id" })).toMatchObject({ id: "event_id" });
  expect(identity({ ...on, DEDUPLICATE_MAX_IDS: "7" }).topology).toBe(topology);
  const others = [identity(), identity({ ...on, DEDUPLICATE_HORIZON: "9m" })];
  for (const other of others) expect(other.topology).not.toBe(topology);
});

test("the digest tells a sum from a maximum, and what is counted", () => {
  const { windowed } = identity({}, campaignCounts);
  expect(windowed).toMatchObject({ sumCount: 3, maxCount: 1 });
  expect(identity().windowed).not.toHaveProperty("maxCount");
  const changed = (change: (measure: Measure) => Measure): string =>
    identity({}, { ...campaignCounts, measures: campaignCounts.measures.map(change) }).topology;
  const among = ["view", "click", "purchase", "like"];
  const digests = [
    changed((measure) => measure),
    changed((measure) => ("count" in measure ? { ...measure, among } : measure)),
    changed((measure) => ("max" in measure ? { ...measure, to: 1 } : measure)),
    identity({}, sumInsteadOfMax).topology,
  ];
  expect(new Set(digests).size).toBe(digests.length);
});

const { max, name, from, to } = {
  name: "",
  max: "",
  ...campaignCounts.measures.at(-1),
  from: 0,
  to: 9,
};
const sumInsteadOfMax: Job = {
  ...campaignCounts,
  measures: [...campaignCounts.measures.slice(0, -1), { name, sum: max, from, to }],
  result: {
    ...campaignCounts.result,
    figures: campaignCounts.result.figures.map((figure) => ({ ...figure, combine: "sum" })),
  },
};

test("settings name each kind of measure as people write it", () => {
  const { settings } = identity({}, campaignCounts);
  expect(settings).toMatchObject({
    "the key": "campaign_id",
    "the event time": "event_time_ns in ns",
    "the counts": expect.stringContaining("event_type = click of view|click|purchase"),
    "the maxima": "produce_time from 0 to 8640000000000000",
  });
  expect(identity().settings).toMatchObject({
    "the event time": "timestamp",
    "the sums": expect.stringContaining("clicks from 0 to 2147483647, views"),
  });
  expect(identity().settings).not.toHaveProperty("the maxima");
});
