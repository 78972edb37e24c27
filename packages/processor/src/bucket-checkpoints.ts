import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { StreamError } from "@adstream/engine/errors";
import type { CheckpointStore } from "@adstream/engine/ports";
import type { BrowsableStore } from "./checkpoint-store.ts";
import { type BucketClient, BucketFailure, connectBucket } from "./bucket-client.ts";
import {
  decodeManifest,
  encodeManifest,
  joinParts,
  maxWholeBytes,
  partsFolder,
  partsOf,
} from "./bucket-parts.ts";

export type BucketPlace = {
  readonly bucket: string;
  /** Of every object's name; may be empty. */
  readonly prefix: string;
  /** Of an emulator; left out: Google's own. */
  readonly endpoint?: string | undefined;
};

/** How long the store tries, in ms. */
export type BucketPatience = {
  /** One request. */
  readonly requestMs: number;
  /** One call of the store, with everything tried again; the last request may end later. */
  readonly callMs: number;
  readonly retryFromMs: number;
  readonly retryToMs: number;
};

const patience: BucketPatience = {
  requestMs: 30_000,
  callMs: 10_000,
  retryFromMs: 250,
  retryToMs: 8_000,
};

/** Parts under way at once: each is held in memory by the library as well. */
const partsAtOnce = 3;

/**
 * Checkpoints as objects of a Google Cloud Storage bucket, below a prefix. An upload on condition that no such object
 * exists is the fence between owners; it serves processors on any number of hosts.
 *
 * A request without an answer may have had its effect, or have it later. What is tried again after one and finds the
 * name taken is read back and compared. When nothing got an answer the outcome is open (CHECKPOINT_UNWRITABLE); it is
 * closed (CHECKPOINT_REFUSED) only when every request was answered, or never left.
 *
 * @throws {StreamError} CHECKPOINT_STORE_UNFIT, NOT_AUTHORIZED; SERVER_UNAVAILABLE (retry)
 */
export async function openBucketCheckpoints(
  place: BucketPlace,
  parts: Partial<BucketPatience> = {},
): Promise<CheckpointStore> {
  const store = await bucketCheckpoints(place, parts);
  await probe(store, place);
  return store;
}

/** The same without trying it out first: for whoever only reads. */
export async function bucketCheckpoints(
  place: BucketPlace,
  parts: Partial<BucketPatience> = {},
): Promise<BrowsableStore> {
  const patient = { ...patience, ...parts };
  const client = await connectBucket({ ...place, requestMs: patient.requestMs });
  return new BucketStore(client, place, patient);
}

class BucketStore implements BrowsableStore {
  readonly #client: BucketClient;
  readonly #place: BucketPlace;
  readonly #patience: BucketPatience;
  /** Objects that have parts, as far as listed: the parts are removed with them. */
  readonly #parted = new Set<string>();

  constructor(client: BucketClient, place: BucketPlace, patient: BucketPatience) {
    this.#client = client;
    this.#place = place;
    this.#patience = patient;
  }

  async create(name: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    const object = this.#name(name);
    if (bytes.length <= maxWholeBytes) return this.#createWhole(object, bytes);
    const parts = partsOf(bytes);
    const pending = [...parts];
    const upload = async (): Promise<void> => {
      for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
        await this.#createWhole(`${partsFolder(object)}${part.hash}`, part.bytes);
      }
    };
    try {
      await Promise.all(Array.from({ length: partsAtOnce }, upload));
    } catch (cause) {
      // Nothing was asked of the name itself, so no late part can bring it about.
      const text = `parts of ${this.#urlOf(object)} could not be written`;
      throw new StreamError("CHECKPOINT_REFUSED", "retry", text, { cause });
    }
    return this.#createWhole(object, encodeManifest(parts));
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const object = this.#name(name);
    return this.#available(object, async () => {
      const bytes = await this.#client.read(object);
      const manifest = bytes && decodeManifest(bytes);
      if (manifest === undefined) return bytes;
      const found: (Uint8Array | undefined)[] = [];
      for (const hash of manifest.parts) {
        found.push(await this.#client.read(`${partsFolder(object)}${hash}`));
      }
      // The list of parts is no frame: whoever reads it sees that the object is broken.
      return joinParts(manifest, found) ?? bytes;
    });
  }

  async list(folder: string): Promise<string[]> {
    const prefix = this.#name(`${folder}/`);
    const { names, folders } = await this.#available(prefix, () => this.#client.list(prefix));
    for (const parts of folders) this.#parted.add(parts);
    return [...names];
  }

  async folders(folder: string): Promise<string[]> {
    const prefix = folder === "" ? this.#name("") : this.#name(`${folder}/`);
    const { folders } = await this.#available(prefix, () => this.#client.list(prefix));
    return folders
      .map((deeper) => deeper.slice(prefix.length, -1))
      .filter((name) => !name.startsWith("."));
  }

  /** Parts first: an object without them is broken, and removed the next time; parts without it nobody would find. */
  async remove(name: string): Promise<void> {
    const object = this.#name(name);
    const folder = partsFolder(object);
    await this.#available(object, async () => {
      if (this.#parted.has(folder)) {
        const { names } = await this.#client.list(folder);
        for (const part of names) await this.#client.remove(`${folder}${part}`);
      }
      await this.#client.remove(object);
    });
    this.#parted.delete(folder);
  }

  async #createWhole(object: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    let open = false;
    try {
      return await this.#persistently(async () => {
        try {
          const outcome = await this.#client.create(object, bytes);
          if (outcome === "created" || !open) return outcome;
          const found = await this.#client.read(object);
          return found !== undefined && Buffer.compare(found, bytes) === 0 ? "created" : "exists";
        } catch (error) {
          open ||= !(error instanceof BucketFailure && error.settled);
          throw error;
        }
      });
    } catch (cause) {
      const text = `${this.#urlOf(object)} could not be written (${textOf(cause)})`;
      const code = open ? "CHECKPOINT_UNWRITABLE" : "CHECKPOINT_REFUSED";
      throw new StreamError(code, "retry", text, { cause });
    }
  }

  async #available<T>(object: string, action: () => Promise<T>): Promise<T> {
    try {
      return await this.#persistently(action);
    } catch (cause) {
      const text = `${this.#urlOf(object)} cannot be reached (${textOf(cause)})`;
      throw new StreamError("SERVER_UNAVAILABLE", "retry", text, { cause });
    }
  }

  /** Tries again what may pass, with growing pauses of random length, until the patience with one call is used up. */
  async #persistently<T>(action: () => Promise<T>): Promise<T> {
    const { callMs, retryFromMs, retryToMs } = this.#patience;
    const endMs = performance.now() + callMs;
    for (let stepMs = retryFromMs; ; stepMs = Math.min(retryToMs, 2 * stepMs)) {
      try {
        return await action();
      } catch (error) {
        const delayMs = stepMs * (0.5 + Math.random() / 2);
        const passing = error instanceof BucketFailure && error.passing;
        if (!passing || performance.now() + delayMs > endMs) throw error;
        await sleep(delayMs);
      }
    }
  }

  #name(name: string): string {
    const { prefix } = this.#place;
    return prefix === "" ? name : `${prefix}/${name}`;
  }

  #urlOf(object: string): string {
    return `gs://${this.#place.bucket}/${object}`;
  }
}

/** Whether creating an object twice is refused here, tried out. */
async function probe(store: CheckpointStore, { bucket, prefix }: BucketPlace): Promise<void> {
  const url = `gs://${bucket}/${prefix}`;
  const folder = `.probe-${randomUUID()}`;
  const name = `${folder}/1`;
  try {
    const first = await store.create(name, Buffer.from("first"));
    const second = await store.create(name, Buffer.from("second"));
    const listed = await store.list(folder);
    const found = Buffer.from((await store.read(name)) ?? []).toString();
    await store.remove(name);
    if (first === "created" && second === "exists" && found === "first" && listed[0] === "1")
      return;
  } catch (error) {
    throw refusalAtStart(url, bucket, error);
  }
  const text = `CHECKPOINT_URL: ${url} does not refuse to create an object twice`;
  throw new StreamError("CHECKPOINT_STORE_UNFIT", "stop", text);
}

function refusalAtStart(url: string, bucket: string, error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  const status = cause instanceof BucketFailure ? cause.status : undefined;
  if (status === 404) {
    const text = `CHECKPOINT_URL: there is no bucket ${bucket}; create it, or name another`;
    return new StreamError("CHECKPOINT_STORE_UNFIT", "stop", text, { cause });
  }
  if (status === 401 || status === 403) {
    const rights = "storage.objects.create, get, list and delete";
    const text = `CHECKPOINT_URL: ${url} needs credentials with ${rights} (${textOf(cause)})`;
    const hint = "application default credentials are used, see GOOGLE_APPLICATION_CREDENTIALS";
    return new StreamError("NOT_AUTHORIZED", "stop", `${text}; ${hint}`, { cause });
  }
  if (status !== undefined && status < 500 && status !== 408 && status !== 429) {
    const text = `CHECKPOINT_URL: ${url} is refused (${textOf(cause)})`;
    return new StreamError("CHECKPOINT_STORE_UNFIT", "stop", text, { cause });
  }
  // An upload that may have been stored is no reason not to try again: the next probe has another name.
  const text = `CHECKPOINT_URL: ${url} does not answer (${textOf(cause)})`;
  return new StreamError("SERVER_UNAVAILABLE", "retry", text, { cause: error });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
