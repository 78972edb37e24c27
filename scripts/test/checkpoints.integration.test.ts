import { startGcs } from "@adstream/devstack/gcs/server";
import { expect, test } from "vitest";
import { runCheckpoints } from "../checkpoints/run-checkpoints.ts";
import { checkpointBytes, claimBytes } from "./fixture/stored-checkpoints.ts";

const folder = "some/prefix/adstream-processor/ad-stats/p0000";

test("checkpoints in a bucket are read like those in files", async () => {
  await using gcs = await startGcs({ buckets: ["test-bucket"] });
  const put = (name: string, bytes: Uint8Array): void =>
    void gcs.buckets.write("test-bucket", { name, bytes: Buffer.from(bytes) });
  put(`${folder}/000000000001`, claimBytes(1, 0));
  put(`${folder}/000000000002`, await checkpointBytes(2, ["ad-1", "ad-2"]));
  put(`${folder}/000000000003`, Buffer.from("torn"));
  const run = async (...argv: string[]): Promise<[number, string]> => {
    let text = "";
    const code = await runCheckpoints({
      argv,
      env: {
        CHECKPOINT_URL: "gs://test-bucket/some/prefix",
        STORAGE_EMULATOR_HOST: gcs.url,
      },
      envFile: null,
      stdout: (part) => (text += part),
      stderr: (part) => (text += part),
      nowMs: 0,
    });
    return [code, text];
  };
  const before = gcs.requests.length;
  const [listed, list] = await run("list", "--json");
  expect([listed, JSON.parse(list).map(({ kind }: { kind: string }) => kind)]).toEqual([
    0,
    ["unreadable", "checkpoint", "claim"],
  ]);
  const [shown, show] = await run("show");
  expect([shown, show]).toEqual([0, expect.stringContaining("2 keys")]);
  const [verified, findings] = await run("verify");
  expect(verified).toBe(1);
  expect(findings).toContain("number 3: checkpoint frame: too short");
  expect(findings).toContain("gs://test-bucket/some/prefix: 3 objects of 1 tasks, 1 broken");
  const changed = gcs.requests.slice(before).filter((line) => /^(?:upload|delete)/.test(line));
  expect(changed).toEqual([]);
});
