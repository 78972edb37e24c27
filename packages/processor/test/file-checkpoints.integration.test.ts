import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckpointLadder } from "@adstream/engine/checkpoint-ladder";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeCheckpointStore } from "../../engine/test/conformance/checkpoint-store.ts";
import { openFileCheckpoints, type StoreCalls } from "../src/file-checkpoints.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "adstream-checkpoints-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const object = "job/p0000/000000000001";

/** As exFAT and some network mounts answer to link(2). */
const linkless: Partial<StoreCalls> = {
  link: async () => {
    throw errno("EPERM");
  },
};

function errno(code: string): Error {
  return Object.assign(new Error(`${code}: what the system says`), { code });
}

async function openTemporary(
  calls: Partial<StoreCalls>,
): Promise<{ store: Awaited<ReturnType<typeof openFileCheckpoints>>; close(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "adstream-checkpoints-"));
  return {
    store: await openFileCheckpoints(path, calls),
    close: () => rm(path, { recursive: true }),
  };
}

describeCheckpointStore("in files", () => openTemporary({}));
describeCheckpointStore("in files where links are refused", () => openTemporary(linkless));

/** Names of everything below the directory, without the folders. */
async function files(): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

test("of processes that race for the same numbers one gets each", { timeout: 30_000 }, async () => {
  const writers = ["A", "B", "C", "D"].map((letter) =>
    fork(join(import.meta.dirname, "fixture/racing-writer.ts"), [directory, letter], {
      execArgv: [],
    }),
  );
  try {
    await Promise.all(writers.map((writer) => once(writer, "message")));
    const names = Array.from(
      { length: 50 },
      (_, at) => `job/p0000/${String(at).padStart(12, "0")}`,
    );
    const answers = await Promise.all(writers.map((writer) => answersOf(writer, names)));
    for (const name of names) {
      const winners = answers
        .flat()
        .filter((one) => one.name === name && one.outcome === "created");
      expect(winners).toHaveLength(1);
      const content = await readFile(join(directory, name), "utf8");
      expect(content).toBe(winners[0]?.writer.repeat(1_000));
    }
    expect((await files()).toSorted()).toEqual(names.map((name) => name.slice(-12)));
  } finally {
    for (const writer of writers) writer.kill("SIGKILL");
  }
});

type Answer = { readonly name: string; readonly writer: string; readonly outcome: string };

/** Asks for all names at once, and waits for all answers. */
function answersOf(writer: ChildProcess, names: readonly string[]): Promise<Answer[]> {
  const { promise, resolve } = Promise.withResolvers<Answer[]>();
  const answers: Answer[] = [];
  writer.on("message", (message) => {
    answers.push({ name: "", writer: "", outcome: "", ...Object(message) });
    if (answers.length === names.length) resolve(answers);
  });
  for (const name of names) writer.send(name);
  return promise;
}

test("opening removes what writers left an hour ago, and nothing younger", async () => {
  const folder = join(directory, "job/p0003");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, ".tmp-young"), "1");
  await writeFile(join(folder, ".tmp-old"), "1");
  await mkdir(join(folder, ".tmp-old-folder"));
  await writeFile(join(folder, ".tmp-old-folder", "object"), "1");
  await writeFile(join(folder, "000000000007"), "1");
  const hourAgo = new Date(Date.now() - 3_601_000);
  for (const name of [".tmp-old", ".tmp-old-folder/object", ".tmp-old-folder", "000000000007"]) {
    await utimes(join(folder, name), hourAgo, hourAgo);
  }
  await openFileCheckpoints(directory);
  expect((await readdir(folder)).toSorted()).toEqual([".tmp-young", "000000000007"]);
  expect(await readdir(directory)).toEqual(["job"]);
});

test("a torn file is given back as it is, for the frame's checksum to judge", async () => {
  const store = await openFileCheckpoints(directory);
  await store.create(object, Buffer.alloc(1_000, 1));
  await writeFile(join(directory, object), Buffer.alloc(10, 1));
  expect(await store.read(object)).toHaveLength(10);
  expect(await store.create(object, Buffer.alloc(1_000, 1))).toBe("exists");
});

describe("a path that cannot hold checkpoints", () => {
  test("is refused at the start, with its name and the variable", async () => {
    const file = join(directory, "file");
    await writeFile(file, "");
    for (const path of [file, join(file, "below")]) {
      await expect(openFileCheckpoints(path)).rejects.toMatchObject({
        code: "CHECKPOINT_STORE_UNFIT",
        disposition: "stop",
        exitCode: 64,
        message: expect.stringMatching(
          new RegExp(`^CHECKPOINT_URL: ${path} cannot be written \\((?:EEXIST|ENOTDIR)\\)$`),
        ),
      });
    }
  });

  test("is refused when it replaces files on link", async () => {
    const replacing: Partial<StoreCalls> = { link: (from, to) => rename(from, to) };
    await expect(openFileCheckpoints(directory, replacing)).rejects.toMatchObject({
      code: "CHECKPOINT_STORE_UNFIT",
      message: expect.stringContaining(directory),
    });
    expect(await files()).toEqual([]);
  });

  test("and became so later is a failure to try again, and says which file", async () => {
    const store = await openFileCheckpoints(directory);
    await writeFile(join(directory, "job"), "in the way");
    await expect(store.create(object, Buffer.alloc(1))).rejects.toMatchObject({
      code: "CHECKPOINT_REFUSED",
      disposition: "retry",
      message: expect.stringContaining(join(directory, object)),
    });
    await expect(store.read(object)).rejects.toMatchObject({ disposition: "retry" });
    await expect(store.list("job/p0000")).rejects.toMatchObject({ disposition: "retry" });
    await rm(join(directory, "job"));
    expect(await store.create(object, Buffer.alloc(1))).toBe("created");
  });
});

describe("a disk that does not make durable what it is given", () => {
  /** Fails while `failures` is above 0. */
  function failingDisk(): Partial<StoreCalls> & { failures: number } {
    const calls: Required<Pick<StoreCalls, "sync">> & { failures: number } = {
      failures: 0,
      async sync(handle) {
        if (calls.failures-- > 0) throw errno("EIO");
        await handle.sync();
      },
    };
    return calls;
  }

  test("leaves no object behind, and the next attempt may get through", async () => {
    const disk = failingDisk();
    const store = await openFileCheckpoints(directory, disk);
    for (let round = 0; round < 3; round++) {
      disk.failures = 2;
      for (let attempt = 0; attempt < 2; attempt++) {
        await expect(store.create(object, Buffer.alloc(9))).rejects.toMatchObject({
          code: "CHECKPOINT_REFUSED",
          disposition: "retry",
        });
        expect(await files()).toEqual([]);
      }
      expect(await store.create(object, Buffer.alloc(9))).toBe("created");
      await store.remove(object);
    }
  });

  test("leaves it open whether an object is there whose name it did not make durable", async () => {
    let syncs = 0;
    const store = await openFileCheckpoints(directory, {
      sync: async (handle) => {
        // The second one of a create is that of the folder.
        if (++syncs > 4 && syncs % 2 === 0) throw errno("EIO");
        await handle.sync();
      },
    });
    syncs = 4;
    await expect(store.create(object, Buffer.alloc(9))).rejects.toMatchObject({
      code: "CHECKPOINT_UNWRITABLE",
    });
  });

  test("that is full keeps nothing half written, and takes the next attempt once it has room", async () => {
    let freeBytes = Number.POSITIVE_INFINITY;
    const store = await openFileCheckpoints(directory, {
      write: async (handle, bytes) => {
        await handle.writeFile(bytes.subarray(0, freeBytes));
        if (bytes.length > freeBytes) throw errno("ENOSPC");
      },
    });
    await store.create("job/p0000/000000000000", Buffer.alloc(5));
    freeBytes = 1_000;
    for (let attempt = 0; attempt < 5; attempt++) {
      await expect(store.create(object, Buffer.alloc(4_000, 1))).rejects.toMatchObject({
        code: "CHECKPOINT_REFUSED",
        disposition: "retry",
        message: `${join(directory, object)} could not be written (ENOSPC)`,
      });
    }
    expect(await files()).toEqual(["000000000000"]);
    freeBytes = 5_000;
    expect(await store.create(object, Buffer.alloc(4_000, 1))).toBe("created");
    expect(await store.read(object)).toEqual(Buffer.alloc(4_000, 1));
  });

  test("is given up after the third failure in a row, and the ladder lets that through", async () => {
    const disk = failingDisk();
    const store = await openFileCheckpoints(directory, disk);
    const ladder = new CheckpointLadder(store, "job", 0);
    disk.failures = Infinity;
    const claim = () =>
      ladder.claim((seq, base) => {
        const writer = { instance: "test", nonce: "1", at: new Date(0).toISOString() };
        return { kind: "claim", job: "job", partition: 0, seq, base, writer };
      });
    await expect(claim()).rejects.toMatchObject({ disposition: "retry" });
    await expect(claim()).rejects.toMatchObject({ disposition: "retry" });
    await expect(claim()).rejects.toMatchObject({
      code: "CHECKPOINT_UNWRITABLE",
      disposition: "stop",
      exitCode: 70,
      message: expect.stringMatching(/3 times in a row.*CHECKPOINT_URL/),
    });
  });
});
