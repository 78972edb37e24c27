import { randomUUID } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { StreamError } from "@adstream/engine/errors";
import type { CheckpointStore } from "@adstream/engine/ports";
import type { BrowsableStore } from "./checkpoint-store.ts";

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

/** What link(2) answers where the file system has no hard links: exFAT, and some mounts into containers. */
const linklessCodes: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);
/** What rename(2) of a folder answers when its new name is a folder that holds something, or a file. */
const takenCodes: ReadonlySet<string> = new Set(["EEXIST", "ENOTEMPTY", "ENOTDIR", "EISDIR"]);
/** Name of the content where an object is a folder. */
const contentName = "object";
/** A failed fsync may have lost what was written before it, too: after so many in a row the disk is not trusted. */
const maxFailedSyncs = 3;

/** A milestone of the protocol, see engine/milestones. */
const temporaryWritten = channel("adstream:processor:temporary-written");

/** The system calls whose failures need a test of their own. */
export type StoreCalls = {
  readonly write: (handle: FileHandle, bytes: Uint8Array) => Promise<void>;
  readonly link: (from: string, to: string) => Promise<void>;
  readonly sync: (handle: FileHandle) => Promise<void>;
};

const systemCalls: StoreCalls = {
  write: (handle, bytes) => handle.writeFile(bytes),
  link,
  sync: (handle) => handle.sync(),
};

/**
 * Checkpoints as files below `directory`, one each. `link(2)` fails when the name exists: that is the fence between
 * owners. Where there are no links an object is a folder, since renaming a folder fails as well when the new name is
 * taken. Creating the final name by open(2) would show others a half-written object, which they count as broken.
 *
 * Every processor of a group must see the same directory, so it serves one host.
 * @throws {StreamError} CHECKPOINT_STORE_UNFIT when the path cannot give that
 */
export async function openFileCheckpoints(
  directory: string,
  calls: Partial<StoreCalls> = {},
): Promise<CheckpointStore> {
  const root = resolve(directory);
  const limited = limitFailedSyncs({ ...systemCalls, ...calls }, root);
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await refuseShared(root);
    await probe(root, limited);
    await sweep(root);
  } catch (error) {
    if (error instanceof StreamError) throw error;
    throw unfit(`${root} cannot be written (${codeOf(error)})`);
  }
  return fileStore(root, limited);
}

/**
 * The same to be read only: nothing is made, tried out or swept.
 * @throws {StreamError} CHECKPOINT_STORE_UNFIT when there is no such directory
 */
export async function readFileCheckpoints(directory: string): Promise<BrowsableStore> {
  const root = resolve(directory);
  const folders = (folder: string): Promise<string[]> => foldersIn(join(root, folder));
  try {
    if ((await stat(root)).isDirectory()) return { ...fileStore(root, systemCalls), folders };
  } catch (error) {
    throw unfit(`${root} cannot be read (${codeOf(error)})`);
  }
  throw unfit(`${root} is no directory`);
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    return folders.filter((name) => !name.startsWith("."));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw unreachable(path, error);
  }
}

function fileStore(root: string, calls: StoreCalls): CheckpointStore {
  return {
    async create(name, bytes) {
      const file = join(root, name);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        return await createWhole(file, bytes, calls);
      } catch (error) {
        if (error instanceof StreamError && error.disposition === "stop") throw error;
        // The call is over and what it did shows: only a link that may not be durable leaves the outcome open.
        const code = error instanceof Undurable ? "CHECKPOINT_UNWRITABLE" : "CHECKPOINT_REFUSED";
        const text = `${file} could not be written (${codeOf(error)})`;
        throw new StreamError(code, "retry", text, { cause: error });
      }
    },
    read: (name) => readObject(join(root, name)),
    async list(folder) {
      try {
        const names = await readdir(join(root, folder));
        return names.filter((name) => !name.startsWith(temporaryPrefix));
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

async function readObject(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (codeOf(error) === "EISDIR") return readObject(join(file, contentName));
    throw unreachable(file, error);
  }
}

/** Written under another name, made durable, then linked: the name holds everything or does not exist. */
async function createWhole(
  file: string,
  bytes: Uint8Array,
  calls: StoreCalls,
): Promise<"created" | "exists"> {
  const temporary = join(dirname(file), `${temporaryPrefix}${randomUUID()}`);
  try {
    await writeDurably(temporary, bytes, calls);
    temporaryWritten.publish(undefined);
    try {
      await calls.link(temporary, file);
    } catch (error) {
      if (codeOf(error) === "EEXIST") return "exists";
      if (!linklessCodes.has(codeOf(error))) throw error;
      if ((await renameAsFolder(temporary, file, calls)) === "exists") return "exists";
    }
    await syncDirectory(dirname(file), calls).catch((cause: unknown) => {
      throw cause instanceof StreamError ? cause : new Undurable(codeOf(cause), { cause });
    });
    return "created";
  } finally {
    await removeIfThere(temporary);
  }
}

/** An object exists, and may be gone again after a power cut. */
class Undurable extends Error {
  override readonly name = "Undurable";

  readonly code: string;

  constructor(code: string, options: ErrorOptions) {
    super(code, options);
    this.code = code;
  }
}

async function renameAsFolder(
  temporary: string,
  file: string,
  calls: StoreCalls,
): Promise<"created" | "exists"> {
  const folder = `${temporary}-folder`;
  try {
    await mkdir(folder, { mode: 0o700 });
    await rename(temporary, join(folder, contentName));
    await syncDirectory(folder, calls);
    await rename(folder, file);
    return "created";
  } catch (error) {
    if (takenCodes.has(codeOf(error))) return "exists";
    throw error;
  } finally {
    await removeIfThere(folder);
  }
}

async function writeDurably(
  file: string,
  bytes: Uint8Array,
  { write, sync }: StoreCalls,
): Promise<void> {
  await using handle = await open(file, "wx", 0o600);
  await write(handle, bytes);
  // A failed fsync is not retried: the kernel may have dropped the pages. The file is thrown away instead.
  await sync(handle);
}

async function syncDirectory(directory: string, { sync }: StoreCalls): Promise<void> {
  await using handle = await open(directory, "r");
  await sync(handle);
}

function limitFailedSyncs({ sync, ...others }: StoreCalls, root: string): StoreCalls {
  let failures = 0;
  return {
    ...others,
    async sync(handle) {
      try {
        await sync(handle);
        failures = 0;
      } catch (error) {
        failures++;
        if (failures < maxFailedSyncs) throw error;
        const text = `fsync below ${root} failed ${failures} times in a row (${codeOf(error)})`;
        throw new StreamError(
          "CHECKPOINT_UNWRITABLE",
          "stop",
          `${text}: look at the disk of CHECKPOINT_URL`,
          { cause: error },
        );
      }
    },
  };
}

async function refuseShared(root: string): Promise<void> {
  const { type } = await statfs(root);
  const name = sharedFileSystems.get(type);
  if (name === undefined) return;
  throw unfit(`${root} is on ${name}; use a local disk`);
}

/** Whether links are exclusive here, tried out. */
async function probe(root: string, calls: StoreCalls): Promise<void> {
  const file = join(root, `${temporaryPrefix}probe-${randomUUID()}`);
  const first = await createWhole(file, new Uint8Array(1), calls);
  const second = await createWhole(file, new Uint8Array(1), calls);
  await removeIfThere(file);
  if (first !== "created" || second !== "exists") throw unfit(`${root} overwrites files on link`);
}

/** Removes what writers left that were killed between write and link. */
async function sweep(root: string): Promise<void> {
  const before = Date.now() - staleTemporaryMs;
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.name.startsWith(temporaryPrefix)) continue;
    const file = join(entry.parentPath, entry.name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before) await removeIfThere(file);
  }
}

/** A file, or a folder with what it holds. */
async function removeIfThere(file: string): Promise<void> {
  try {
    await rm(file, { recursive: true, force: true });
  } catch (error) {
    throw unreachable(file, error);
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
