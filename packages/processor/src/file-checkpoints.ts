import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, stat, statfs, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { StreamError } from "@adstream/engine/errors";
import type { CheckpointStore } from "@adstream/engine/ports";

/** File systems that several hosts share do not give create-if-absent and fsync the meaning we need. */
const sharedFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x65735546, "FUSE"],
]);
const temporaryPrefix = ".tmp-";
const staleTemporaryMs = 3_600_000;

/**
 * Checkpoints as files below `directory`, one each. `link(2)` fails when the name exists: that is the fence between
 * owners. Every processor of a group must see the same directory, so it serves one host.
 * @throws {StreamError} CHECKPOINT_STORE_UNFIT when the path cannot give that
 */
export async function openFileCheckpoints(directory: string): Promise<CheckpointStore> {
  const root = resolve(directory);
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await refuseShared(root);
    await probe(root);
    await sweep(root);
  } catch (error) {
    if (error instanceof StreamError) throw error;
    throw unfit(`${root} cannot be written (${codeOf(error)})`);
  }
  return fileStore(root);
}

function fileStore(root: string): CheckpointStore {
  return {
    async create(name, bytes) {
      const file = join(root, name);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        return await createWhole(file, bytes);
      } catch (error) {
        const text = `${file} could not be written (${codeOf(error)})`;
        throw new StreamError("CHECKPOINT_UNWRITABLE", "retry", text, { cause: error });
      }
    },
    async read(name) {
      try {
        return await readFile(join(root, name));
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw unreachable(join(root, name), error);
      }
    },
    async list(folder) {
      try {
        return await readdir(join(root, folder));
      } catch (error) {
        if (codeOf(error) === "ENOENT") return [];
        throw unreachable(join(root, folder), error);
      }
    },
    async remove(name) {
      await removeIfThere(join(root, name));
    },
  };
}

/** Written under another name, made durable, then linked: the name holds everything or does not exist. */
async function createWhole(file: string, bytes: Uint8Array): Promise<"created" | "exists"> {
  const temporary = join(dirname(file), `${temporaryPrefix}${randomUUID()}`);
  try {
    await writeDurably(temporary, bytes);
    await link(temporary, file);
    await syncDirectory(dirname(file));
    return "created";
  } catch (error) {
    if (codeOf(error) === "EEXIST") return "exists";
    throw error;
  } finally {
    await removeIfThere(temporary);
  }
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  await using handle = await open(file, "wx", 0o600);
  await handle.writeFile(bytes);
  // A failed fsync is not retried: the kernel may have dropped the pages. The file is thrown away instead.
  await handle.sync();
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

async function refuseShared(root: string): Promise<void> {
  const { type } = await statfs(root);
  const name = sharedFileSystems.get(type);
  if (name === undefined) return;
  throw unfit(`${root} is on ${name}; use a local disk`);
}

/** Whether links are exclusive here, tried out. */
async function probe(root: string): Promise<void> {
  const file = join(root, `${temporaryPrefix}probe-${randomUUID()}`);
  const first = await createWhole(file, new Uint8Array(1));
  const second = await createWhole(file, new Uint8Array(1));
  await removeIfThere(file);
  if (first !== "created" || second !== "exists") throw unfit(`${root} overwrites files on link`);
}

/** Removes what writers left that were killed between write and link. */
async function sweep(root: string): Promise<void> {
  const before = Date.now() - staleTemporaryMs;
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.startsWith(temporaryPrefix)) continue;
    const file = join(entry.parentPath, entry.name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before) await removeIfThere(file);
  }
}

async function removeIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw unreachable(file, error);
  }
}

function unfit(what: string): StreamError {
  return new StreamError("CHECKPOINT_STORE_UNFIT", "stop", `CHECKPOINT_URL: ${what}`);
}

function unreachable(file: string, cause: unknown): StreamError {
  const text = `${file} cannot be reached (${codeOf(cause)})`;
  return new StreamError("SERVER_UNAVAILABLE", "retry", text, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
