import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCheckpoints } from "../checkpoints/run-checkpoints.ts";
import { age } from "../checkpoints/wording.ts";
import { checkpointBytes, claimBytes, deltaBytes } from "./fixture/stored-checkpoints.ts";

const job = "adstream-processor/ad-stats";
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "adstream-checkpoints-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

type Outcome = { readonly code: number; readonly out: string; readonly err: string };

async function run(argv: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  let [out, err] = ["", ""];
  const code = await runCheckpoints({
    argv: argv.split(" ").filter((word) => word !== ""),
    env: { CHECKPOINT_URL: `file:${directory}`, ...env },
    envFile: null,
    stdout: (text) => (out += text),
    stderr: (text) => (err += text),
    nowMs: Date.parse("2026-03-01T12:15:00Z"),
  });
  return { code, out, err };
}

async function store(seq: number, bytes: Uint8Array, folder = `${job}/p0000`): Promise<void> {
  await mkdir(join(directory, folder), { recursive: true });
  await writeFile(join(directory, folder, String(seq).padStart(12, "0")), bytes);
}

/** A sound checkpoint, a claim, a torn one, and one with a bit that flipped. */
async function storeAllKinds(): Promise<void> {
  const sound = await checkpointBytes(2, ["ad-1", "ad-2", "ad-1"]);
  const torn = (await checkpointBytes(4, ["ad-1"])).subarray(0, 300);
  const flipped = Buffer.from(await checkpointBytes(5, ["ad-1"]));
  flipped.writeUInt8(flipped.readUInt8(200) ^ 1, 200);
  await store(2, sound);
  await store(3, claimBytes(3, 2));
  await store(4, torn);
  await store(5, flipped);
}

describe("a checkpoint of what changed", () => {
  const ads = ["ad-1", "ad-2"];

  async function storeChain(): Promise<void> {
    const bytes = await checkpointBytes(2, ads);
    await store(2, bytes);
    await store(3, await deltaBytes(3, { seq: 2, bytes, ads }));
  }

  test("is listed with what it rests on, and shown with all of the state", async () => {
    await storeChain();
    expect((await run("list")).out).toContain("checkpoint, since 2");
    const { code, out } = await run("show");
    expect(code).toBe(0);
    expect(out).toContain("what changed since 2");
    expect(out).toContain("2 keys");
    expect(out).toContain('"ad-1" 2 records');
    expect((await run("verify")).code).toBe(0);
  });

  test("is broken when what it rests on is", async () => {
    await storeChain();
    await store(2, await checkpointBytes(2, ["ad-1"]));
    const { code, out } = await run("verify");
    expect(code).toBe(1);
    expect(out).toContain("number 3: it rests on number 2, and not all of that is sound");
    expect((await run("show")).code).toBe(1);
  });
});

describe("list", () => {
  test("says per task what there is, newest first, and what cannot be read", async () => {
    await storeAllKinds();
    const { code, out, err } = await run("list");
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n").map((line) => line.replaceAll(/ {2,}/g, " | "))).toEqual([
      "adstream-processor/ad-stats partition 0",
      " | seq | kind | age | next offset | watermark | in/late/dead | epoch | bytes | writer",
      expect.stringMatching(/^ \| 5 \| unreadable \| \d+ \| checkpoint frame: wrong checksum$/),
      " | 4 | unreadable | 300 | checkpoint frame: torn: the end is missing",
      expect.stringMatching(/^ \| 3 \| claim on 2 \| 5 m \| \d+ \| host-1$/),
      expect.stringMatching(
        /^ \| 2 \| checkpoint \| 5 m \| 3 \| 2026-03-01T12:00:00.000Z \| 3\/0\/0 \| 0 \| \d+ \| host-1$/,
      ),
      "",
    ]);
  });

  test("speaks to programs as well", async () => {
    await storeAllKinds();
    const rows: unknown = JSON.parse((await run("list --json")).out);
    expect(rows).toMatchObject([
      { seq: 5, kind: "unreadable" },
      { seq: 4, kind: "unreadable" },
      { seq: 3, kind: "claim", base: 2 },
      { seq: 2, kind: "checkpoint", nextOffset: 3, counts: { in: 3 }, job, partition: 0 },
    ]);
  });

  test("is of one job, partition or number where that is asked for", async () => {
    await storeAllKinds();
    await store(1, claimBytes(1, 0), "other/ad-stats/p0007");
    const numbers = async (argv: string): Promise<unknown> =>
      JSON.parse((await run(`list --json ${argv}`)).out).map(({ seq }: { seq: number }) => seq);
    expect(await numbers("")).toEqual([5, 4, 3, 2, 1]);
    expect(await numbers("--job other/ad-stats")).toEqual([1]);
    expect(await numbers("--partition 0")).toEqual([5, 4, 3, 2]);
    expect(await numbers("--partition 0 --seq 3")).toEqual([3]);
    expect(await numbers("--partition 9")).toEqual([]);
  });

  test("of an empty place is no mistake", async () => {
    expect(await run("list")).toEqual({
      code: 0,
      out: `file:${directory} holds no checkpoints\n`,
      err: "",
    });
  });
});

describe("show", () => {
  test("restores the newest readable checkpoint and says what is in it", async () => {
    await storeAllKinds();
    const { code, out, err } = await run("show");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("adstream-processor/ad-stats partition 0, number 2");
    expect(out).toContain("offset     next 3, last record 2");
    expect(out).toContain("records    3 in, 0 late, 0 dead letters");
    expect(out).toContain("setting    WINDOW_SIZE: 1m");
    expect(out).toContain("state      2 keys, 1 panes, 2 open windows");
    expect(out).toMatch(/top ad {5}"ad-1" 2 records\n.*top ad {5}"ad-2" 1 records\n/);
  });

  test("restores it under the settings it was made with, whatever the environment says", async () => {
    const env = { WINDOW_SIZE: "10s", WINDOW_SLIDE: "10s" };
    await store(2, await checkpointBytes(2, ["ad-1"], {}, env));
    expect((await run("show")).out).toContain("1 open windows");
    // Older code did not write them down.
    await store(2, await checkpointBytes(2, ["ad-1"], { settings: undefined }, env));
    expect((await run("show", env)).out).toContain("1 open windows");
    const unknown = await run("show");
    expect(unknown.code).toBe(1);
    expect(unknown.out).toContain("state      made with other settings than the defaults");
  });

  test("tells the decisions in it", async () => {
    const watermark = Date.parse("2026-03-01T12:05:00Z");
    const decisions = [{ offset: 1, watermark, why: "idle" as const }];
    await store(2, await checkpointBytes(2, ["ad-1"], { decisions }));
    const { out } = await run("show --json");
    expect(JSON.parse(out)).toMatchObject({ decisions: 1, state: { openWindows: 0 } });
    expect((await run("show")).out).toContain(
      "decision   at offset 1: watermark 2026-03-01T12:05:00.000Z (idle)",
    );
  });

  test.each([
    ["a claim", "--seq 3", 0, /claim {6}goes on from 2/],
    ["a broken one", "--seq 5", 1, /unreadable: checkpoint frame: wrong checksum/],
  ])("shows %s where its number is asked for", async (_, flags, code, text) => {
    await storeAllKinds();
    const shown = await run(`show ${flags}`);
    expect([shown.code, shown.err]).toEqual([code, ""]);
    expect(shown.out).toMatch(text);
  });

  test("writes no control characters of an ad to the terminal", async () => {
    await store(2, await checkpointBytes(2, ["\u001b[2J\nad"]));
    expect((await run("show")).out).toContain('"\\u001b[2J\\nad" 1 records');
  });

  test("of nothing is an answer of its own", async () => {
    expect(await run("show --seq 9")).toEqual({
      code: 1,
      out: "",
      err: `adstream checkpoints: file:${directory} holds no such checkpoint\n`,
    });
  });

  test("asks which one where there are several tasks", async () => {
    await storeAllKinds();
    await store(1, claimBytes(1, 0), `${job}/p0001`);
    const { code, err } = await run("show");
    expect(code).toBe(64);
    expect(err).toContain(`--job ${job} --partition 1`);
  });
});

describe("verify", () => {
  test("finds nothing where all is sound, and leaves nothing behind", async () => {
    await store(2, await checkpointBytes(2, ["ad-1", "ad-2"]));
    await store(3, claimBytes(3, 2));
    const before = await readdir(directory, { recursive: true });
    const { code, out, err } = await run("verify");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe(`file:${directory}: 2 objects of 1 tasks, 0 broken\n`);
    expect(await readdir(directory, { recursive: true })).toEqual(before);
  });

  test("says each broken object in one line, and ends with 1", async () => {
    await storeAllKinds();
    const { code, out } = await run("verify");
    expect(code).toBe(1);
    expect(out.split("\n")).toEqual([
      `${job} partition 0, number 5: checkpoint frame: wrong checksum`,
      `${job} partition 0, number 4: checkpoint frame: torn: the end is missing`,
      `file:${directory}: 4 objects of 1 tasks, 2 broken`,
      "",
    ]);
  });

  test("restores: a sound frame around broken content is a finding", async () => {
    await store(2, await checkpointBytes(2, ["ad-1"], { stateBytes: 1 }));
    await store(3, await checkpointBytes(3, ["ad-1"], { log: { ...elsewhere, nextOffset: 7 } }));
    await store(4, await checkpointBytes(2, ["ad-1"]));
    await store(5, claimBytes(5, 2), `${job}/p0001`);
    const { code, out } = await run("verify --json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      objects: 4,
      tasks: 2,
      findings: [
        { seq: 4, problem: "it is a copy of 2" },
        { seq: 3, problem: "its state is at offset 1, its header at 7" },
        { seq: 2, problem: expect.stringMatching(/cannot be decompressed/) },
        { seq: 5, problem: `it belongs to ${job} partition 0` },
      ],
    });
  });
});

const elsewhere = { clusterId: "cluster", topic: "ad_topic", partitions: 4, canary: null };

describe("mistakes", () => {
  test.each([
    ["", /no command: there are list, show and verify/],
    ["lits", /lits: there are list, show and verify/],
    ["list more", /more: there is no such argument/],
    ["list --all", /--all: there is no such flag/],
    ["list --job x", /--job x: a job is group\/job/],
    ["list --partition -1", /--partition/],
    ["show --seq one", /--seq one: must be a whole number/],
    ["show --seq", /--seq: needs a value/],
  ])("in the arguments end with 64: %j", async (argv, text) => {
    const { code, out, err } = await run(argv);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toMatch(text);
    expect(err).not.toContain(" at ");
  });

  test.each([
    [
      "another scheme",
      "s3://bucket",
      /CHECKPOINT_URL is "s3:\/\/bucket": must be a local directory/,
    ],
    [
      "no such directory",
      "file:/no/such/place",
      /CHECKPOINT_URL: \/no\/such\/place cannot be read/,
    ],
  ])("in the URL end with 64: %s", async (_, url, text) => {
    const { code, out, err } = await run("list", { CHECKPOINT_URL: url });
    expect([code, out]).toEqual([64, ""]);
    expect(err).toMatch(text);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("are explained by --help", async () => {
    const { code, out } = await run("--help");
    expect(code).toBe(0);
    expect(out).toContain("usage: pnpm checkpoints list|show|verify");
  });
});

test.each([
  [0, "0 s"],
  [119_999, "119 s"],
  [120_000, "2 m"],
  [7_200_000, "2 h"],
  [172_800_000, "2 d"],
  [-5, "0 s"],
])("an age of %i ms reads %s", (ms, text) => {
  expect(age(ms)).toBe(text);
});
