import { readEnvironment } from "@adstream/service/environment";
import { expect, test } from "vitest";
import { environment } from "../src/config.ts";
import { eventProjection, jobIdentity } from "../src/job-identity.ts";
import { adStats } from "../src/jobs/ad-stats.ts";

function identity(env: Readonly<Record<string, string>> = {}): ReturnType<typeof jobIdentity> {
  const config = readEnvironment(environment, { env: { ...env }, file: null });
  return jobIdentity(adStats, config, async () => 0);
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
