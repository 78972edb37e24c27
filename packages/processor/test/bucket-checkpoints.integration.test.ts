import { randomUUID } from "node:crypto";
import type { Frame } from "@adstream/engine/checkpoint";
import { CheckpointLadder } from "@adstream/engine/checkpoint-ladder";
import type { CheckpointStore } from "@adstream/engine/ports";
import type { GcsFault } from "@adstream/devstack/gcs/faults";
import { type GcsServer, startGcs } from "@adstream/devstack/gcs/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeCheckpointStore } from "../../engine/test/conformance/checkpoint-store.ts";
import {
  bucketCheckpoints,
  type BucketPatience,
  openBucketCheckpoints,
} from "../src/bucket-checkpoints.ts";

const bucket = "test-bucket";
const object = "job/p0000/000000000001";
/** Short, so that no test waits for patience to run out. */
const impatience: BucketPatience = {
  requestMs: 250,
  callMs: 600,
  retryFromMs: 10,
  retryToMs: 40,
};

describeCheckpointStore("in a bucket", async () => {
  const server = await startGcs({ buckets: [bucket] });
  const place = { bucket, prefix: "some/prefix", endpoint: server.url };
  return { store: await openBucketCheckpoints(place), close: () => server.close() };
});

/** The emulator of ../shared/stack, or any other; .ci/run sets it. */
const emulator = process.env["GCS_API_ENDPOINT"];
if (emulator !== undefined) {
  describeCheckpointStore(`in a bucket of ${emulator}`, async () => {
    const name = `adstream-${randomUUID()}`;
    const headers = { "content-type": "application/json" };
    const made = await fetch(`${emulator}/storage/v1/b?project=test`, {
      method: "POST",
      headers,
      body: JSON.stringify({ name }),
    });
    expect(made.status).toBe(200);
    const place = { bucket: name, prefix: "p", endpoint: emulator };
    return { store: await openBucketCheckpoints(place), close: async () => {} };
  });
}

let gcs: GcsServer;
let store: CheckpointStore;

beforeEach(async () => {
  gcs = await startGcs({ buckets: [bucket] });
  store = await openBucketCheckpoints({ bucket, prefix: "p", endpoint: gcs.url }, impatience);
});
afterEach(() => gcs.close());

const stored = (): string[] => [...gcs.buckets.objects(bucket).keys()];
const bytes = Buffer.from("what is to be stored");

/** Requests of a kind since now. */
function counting(operation: string): () => number {
  const before = gcs.requests.length;
  return () => gcs.requests.slice(before).filter((line) => line.startsWith(operation)).length;
}

describe("a create", () => {
  test.each<[string, GcsFault]>([
    ["503", { action: { status: 503 }, count: 3 }],
    ["429", { action: { status: 429 }, count: 3 }],
    ["a lost response", { action: "lose-response" }],
    ["two lost responses", { action: "lose-response", count: 2 }],
    ["a cut in the middle of the body", { action: { cutAfterBytes: 30 } }],
    ["a cut before anything is read", { action: "refuse", count: 2 }],
    ["no answer", { action: "hang" }],
    ["an answer that comes too late", { action: { delayMs: 400 } }],
  ])("is repeated after %s, and told as created", async (_, fault) => {
    const uploads = counting("upload");
    const armed = gcs.faults.add({ ...fault, operation: "upload" });
    expect(await store.create(object, bytes)).toBe("created");
    expect(armed.hits).toBe(fault.count ?? 1);
    expect(uploads()).toBeGreaterThanOrEqual(armed.hits);
    expect(await store.read(object)).toEqual(bytes);
  });

  test.each<[string, GcsFault]>([
    ["503", { action: { status: 503 } }],
    ["a lost response", { action: "lose-response" }],
    ["no answer", { action: "hang" }],
  ])("of what others created exists, also after %s", async (_, fault) => {
    await store.create(object, Buffer.from("theirs"));
    gcs.faults.add({ ...fault, operation: "upload" });
    expect(await store.create(object, bytes)).toBe("exists");
    expect(await store.read(object)).toEqual(Buffer.from("theirs"));
  });

  // A request that is given up may still arrive: what has to be answered gets all the time it wants.
  const answered = { ...impatience, requestMs: 10_000 };
  test.each<[string, GcsFault, string, BucketPatience]>([
    ["denied", { action: { status: 403 } }, "CHECKPOINT_REFUSED", answered],
    ["too frequent", { action: { status: 429 } }, "CHECKPOINT_REFUSED", answered],
    ["in an outage", { action: { status: 503 } }, "CHECKPOINT_UNWRITABLE", impatience],
    ["cut off", { action: "refuse" }, "CHECKPOINT_UNWRITABLE", impatience],
    ["never answered", { action: "hang" }, "CHECKPOINT_UNWRITABLE", impatience],
  ])("that is %s to the end says whether it may still arrive", async (_, fault, code, patience) => {
    const place = { bucket, prefix: "p", endpoint: gcs.url };
    const trying = await openBucketCheckpoints(place, patience);
    gcs.faults.add({ ...fault, operation: "upload", count: Number.POSITIVE_INFINITY });
    const creating = trying.create(object, bytes);
    await expect(creating).rejects.toMatchObject({
      code,
      disposition: "retry",
      message: expect.stringContaining(`gs://${bucket}/p/${object} could not be written (`),
    });
    expect(stored()).toEqual([]);
  });

  test("where nobody listens was certainly not stored", async () => {
    const nowhere = await startGcs();
    await nowhere.close();
    const place = { bucket, prefix: "p", endpoint: nowhere.url };
    const unheard = await bucketCheckpoints(place, impatience);
    await expect(unheard.create(object, bytes)).rejects.toMatchObject({
      code: "CHECKPOINT_REFUSED",
    });
  });

  test("that the service gets broken is refused before it appears, and repeated by the next attempt", async () => {
    gcs.faults.add({ operation: "upload", action: { flipBit: 8 * 60 } });
    await expect(store.create(object, bytes)).rejects.toMatchObject({
      code: "CHECKPOINT_REFUSED",
      message: expect.stringContaining("HTTP 400"),
    });
    expect(stored()).toEqual([]);
    expect(await store.create(object, bytes)).toBe("created");
  });

  test("given up on may arrive later, and then keeps the name", async () => {
    gcs.faults.add({ operation: "upload", action: "late", count: 100 });
    await expect(store.create(object, bytes)).rejects.toMatchObject({
      code: "CHECKPOINT_UNWRITABLE",
    });
    expect(await store.read(object)).toBeUndefined();
    gcs.faults.clear();
    gcs.faults.arrive();
    expect(await store.create(object, Buffer.from("others"))).toBe("exists");
    expect(await store.read(object)).toEqual(bytes);
  });

  test("that arrives late after its own repetition changes nothing", async () => {
    gcs.faults.add({ operation: "upload", action: "late" });
    expect(await store.create(object, bytes)).toBe("created");
    gcs.faults.arrive();
    expect(await store.read(object)).toEqual(bytes);
    expect(stored()).toHaveLength(1);
  });
});

function claim(seq: number): Frame {
  const writer = { instance: "one", nonce: randomUUID(), at: new Date(0).toISOString() };
  const header = { kind: "claim" as const, job: "job", partition: 0, seq, base: 0, writer };
  return { header, payload: new Uint8Array(0) };
}

/** Every way an upload can end without its writer knowing, drawn at random. */
test(
  "100 % of ambiguous writes are recognised as ours or as others'",
  { timeout: 60_000 },
  async () => {
    const actions = ["lose-response", "refuse", { status: 503 }, { status: 429 }] as const;
    let ambiguous = 0;
    const ladder = new CheckpointLadder(store, "job", 0);
    for (let seq = 1; seq <= 120; seq++) {
      const action = actions[seq % actions.length] ?? "refuse";
      const taken = seq % 5 === 0;
      if (taken) await new CheckpointLadder(store, "job", 0).create(claim(seq), new Set());
      gcs.faults.add({ operation: "upload", action, count: (seq % 3) + 1 });
      const { outcome } = await ladder.create(claim(seq), new Set());
      gcs.faults.clear();
      ambiguous++;
      expect([seq, outcome]).toEqual([seq, taken ? "taken" : "mine"]);
    }
    expect(ambiguous).toBe(120);
  },
);

describe("reads, lists and removals", () => {
  test.each<[string, GcsFault["action"], number]>([
    ["503", { status: 503 }, 3],
    ["429", { status: 429 }, 3],
    ["a cut connection", "refuse", 2],
    ["a lost response", "lose-response", 2],
    ["no answer", "hang", 1],
  ])("are repeated after %s", async (_, action, count) => {
    await store.create(object, bytes);
    for (const operation of ["download", "list", "delete"] as const) {
      gcs.faults.add({ operation, action, count });
    }
    expect(await store.read(object)).toEqual(bytes);
    expect(await store.list("job/p0000")).toEqual(["000000000001"]);
    await store.remove(object);
    expect(stored()).toEqual([]);
  });

  test.each<[string, GcsFault["action"]]>([
    ["is cut in the middle", { cutAfterBytes: 5 }],
    ["is changed on its way", { flipBit: 3 }],
  ])("of content that %s are repeated rather than believed", async (_, action) => {
    await store.create(object, bytes);
    gcs.faults.add({ operation: "download", action });
    expect(await store.read(object)).toEqual(bytes);
  });

  test("that fail to the end say so, and are no empty answer", async () => {
    gcs.faults.add({ action: { status: 503 }, count: Number.POSITIVE_INFINITY });
    const unavailable = { code: "SERVER_UNAVAILABLE", disposition: "retry" };
    await expect(store.read(object)).rejects.toMatchObject(unavailable);
    await expect(store.list("job/p0000")).rejects.toMatchObject(unavailable);
    await expect(store.remove(object)).rejects.toMatchObject(unavailable);
  });

  test("list all pages", { timeout: 60_000 }, async () => {
    for (let seq = 0; seq < 1_203; seq++) {
      gcs.buckets.write(bucket, { name: `p/job/p0000/${seq}`, bytes });
    }
    const lists = counting("list");
    expect(new Set(await store.list("job/p0000")).size).toBe(1_203);
    // A page that a busy machine brings too late is asked for again.
    expect(lists()).toBeGreaterThanOrEqual(2);
  });
});

describe("an object larger than 32 MiB", () => {
  const large = Buffer.alloc(40 * 2 ** 20);
  for (let at = 0; at < large.length; at += 4_096) large.writeUInt32LE(at, at);
  const patient = { requestMs: 20_000, callMs: 30_000 };
  const folder = `p/${object}.parts/`;

  beforeEach(async () => {
    store = await openBucketCheckpoints({ bucket, prefix: "p", endpoint: gcs.url }, patient);
  });

  test("is kept in parts that no listing shows, and removed with them", async () => {
    expect(await store.create(object, large)).toBe("created");
    expect(Buffer.compare((await store.read(object)) ?? Buffer.alloc(0), large)).toBe(0);
    expect(await store.list("job/p0000")).toEqual(["000000000001"]);
    expect(stored().filter((name) => name.startsWith(folder))).toHaveLength(3);
    expect(await store.create(object, large)).toBe("exists");
    await store.remove(object);
    expect(stored()).toEqual([]);
  });

  test("is broken, not missing, when a part is", async () => {
    await store.create(object, large);
    const part = stored().find((name) => name.startsWith(folder)) ?? "";
    gcs.buckets.delete(bucket, part);
    expect((await store.read(object))?.length).toBeLessThan(1_000);
  });

  test("whose parts do not get through certainly does not exist", async () => {
    gcs.faults.add({ operation: "upload", name: ".parts/", action: { status: 403 } });
    await expect(store.create(object, large)).rejects.toMatchObject({ code: "CHECKPOINT_REFUSED" });
    expect(stored()).not.toContain(`p/${object}`);
    expect(await store.create(object, large)).toBe("created");
  });
});

test("without a prefix objects lie at the top of the bucket", async () => {
  const plain = await openBucketCheckpoints({ bucket, prefix: "", endpoint: gcs.url }, impatience);
  await plain.create(object, bytes);
  expect(stored()).toEqual([object]);
  expect(await plain.list("job/p0000")).toEqual(["000000000001"]);
});

describe("at the start", () => {
  const open = (name = bucket): Promise<CheckpointStore> =>
    openBucketCheckpoints({ bucket: name, prefix: "p", endpoint: gcs.url }, impatience);

  test("leaves nothing behind", async () => {
    await open();
    expect(stored()).toEqual([]);
  });

  test("a bucket that does not exist is a mistake in CHECKPOINT_URL", async () => {
    await expect(open("another-bucket")).rejects.toMatchObject({
      code: "CHECKPOINT_STORE_UNFIT",
      disposition: "stop",
      exitCode: 64,
      message: "CHECKPOINT_URL: there is no bucket another-bucket; create it, or name another",
    });
  });

  test.each(["upload", "download", "list", "delete"] as const)(
    "the right to %s is asked for by name",
    async (operation) => {
      gcs.faults.add({ operation, action: { status: 403 } });
      await expect(open()).rejects.toMatchObject({
        code: "NOT_AUTHORIZED",
        disposition: "stop",
        exitCode: 64,
        message: expect.stringMatching(/^CHECKPOINT_URL: gs:\/\/test-bucket\/p needs credentials/),
      });
    },
  );

  test("a service that does not answer is waited for", async () => {
    gcs.faults.add({ action: { status: 503 }, count: Number.POSITIVE_INFINITY });
    await expect(open()).rejects.toMatchObject({
      code: "SERVER_UNAVAILABLE",
      disposition: "retry",
      message: expect.stringMatching(/^CHECKPOINT_URL: gs:\/\/test-bucket\/p does not answer/),
    });
  });

  test("a service that overwrites is refused", async () => {
    const write = gcs.buckets.write.bind(gcs.buckets);
    gcs.buckets.write = (name, { ifGenerationMatch: _ignored, ...upload }) => write(name, upload);
    await expect(open()).rejects.toMatchObject({ code: "CHECKPOINT_STORE_UNFIT", exitCode: 64 });
  });
});
