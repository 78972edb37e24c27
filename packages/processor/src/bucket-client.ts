import { EventEmitter } from "node:events";
import type { Bucket } from "@google-cloud/storage";
import { crc32c } from "@adstream/kafka/crc32c";

/** Where a bucket is reached, and how long one request may take. */
export type BucketSettings = {
  readonly bucket: string;
  /** Of an emulator, without credentials; left out: Google's own, with the application's default credentials. */
  readonly endpoint?: string | undefined;
  /** From the first byte sent to the last one received. */
  readonly requestMs: number;
};

/** What lies below a prefix, up to the next slash. */
export type BucketListing = {
  readonly names: readonly string[];
  /** Prefixes of what lies deeper. */
  readonly folders: readonly string[];
};

/** One bucket, one request for each call, each with a deadline. Nothing is tried again: that is for whoever knows why. */
export type BucketClient = {
  /**
   * Creates an object, never replaces one.
   * @throws {BucketFailure}
   */
  create(name: string, bytes: Uint8Array): Promise<"created" | "exists">;
  /** @throws {BucketFailure} */
  read(name: string): Promise<Uint8Array | undefined>;
  /** @throws {BucketFailure} */
  list(prefix: string): Promise<BucketListing>;
  /** @throws {BucketFailure} */
  remove(name: string): Promise<void>;
};

/** A request that did not succeed. */
export class BucketFailure extends Error {
  override readonly name = "BucketFailure";
  /** HTTP status; undefined without an answer. */
  readonly status: number | undefined;
  /** The request had no effect and will have none. Without an answer a write may still arrive, whatever a read says now. */
  readonly settled: boolean;

  constructor(
    message: string,
    outcome: { status: number | undefined; settled: boolean },
    cause: unknown,
  ) {
    super(message, { cause });
    this.status = outcome.status;
    this.settled = outcome.settled;
  }

  /** Trying again may help. */
  get passing(): boolean {
    const { status } = this;
    return status === undefined || status === 408 || status === 429 || status >= 500;
  }
}

/** Names that no request left this machine for. */
const unsentCodes: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);
const pageSize = 1_000;

/** Loads the client library, which whoever keeps checkpoints in files need not pay for. */
export async function connectBucket(settings: BucketSettings): Promise<BucketClient> {
  const { Storage } = await import("@google-cloud/storage");
  // A download of the library has eleven listeners on one of its streams: more than ten make Node print a warning.
  EventEmitter.defaultMaxListeners = Math.max(EventEmitter.defaultMaxListeners, 20);
  const { endpoint, requestMs: timeout } = settings;
  // One unconditional request of the library switches its retries off for all others, so none of them is relied on.
  const retryOptions = { autoRetry: false };
  const storage = new Storage({
    retryOptions,
    timeout,
    ...(endpoint !== undefined && { apiEndpoint: endpoint, projectId: "emulator" }),
  });
  // With STORAGE_EMULATOR_HOST set the library leaves the path out.
  if (endpoint !== undefined) storage.baseUrl = `${endpoint.replace(/\/+$/, "")}/storage/v1`;
  return clientOf(storage.bucket(settings.bucket), settings);
}

function clientOf(bucket: Bucket, { requestMs }: BucketSettings): BucketClient {
  const request = <T>(action: () => Promise<T>): Promise<T> => inTime(action, requestMs);
  return {
    async create(name, bytes) {
      try {
        await request(() => upload(bucket, name, bytes));
        return "created";
      } catch (error) {
        if (error instanceof BucketFailure && error.status === 412) return "exists";
        throw error;
      }
    },
    async read(name) {
      try {
        const [bytes] = await request(() => bucket.file(name).download());
        return bytes;
      } catch (error) {
        if (error instanceof BucketFailure && error.status === 404) return undefined;
        throw error;
      }
    },
    list: (prefix) => listAll(bucket, prefix, request),
    async remove(name) {
      try {
        await request(() => bucket.file(name).delete());
      } catch (error) {
        if (!(error instanceof BucketFailure && error.status === 404)) throw error;
      }
    },
  };
}

/**
 * One request. The service compares the checksum before the object appears; the library's own validation would compare it
 * afterwards, and remove what does not match without a condition, when others may have built on it already.
 */
async function upload(bucket: Bucket, name: string, bytes: Uint8Array): Promise<void> {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  await bucket.file(name).save(content, {
    resumable: false,
    validation: false,
    metadata: { contentType: "application/octet-stream", crc32c: checksumOf(bytes) },
    preconditionOpts: { ifGenerationMatch: 0 },
  });
}

function checksumOf(bytes: Uint8Array): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(bytes, 0, bytes.length));
  return checksum.toString("base64");
}

async function listAll(
  bucket: Bucket,
  prefix: string,
  request: <T>(action: () => Promise<T>) => Promise<T>,
): Promise<BucketListing> {
  const names: string[] = [];
  const folders: string[] = [];
  let query: object | null = { prefix, delimiter: "/", maxResults: pageSize, autoPaginate: false };
  while (query !== null) {
    const page: object = query;
    const [files, next, response] = await request(() => bucket.getFiles(page));
    for (const { name } of files) names.push(name.slice(prefix.length));
    const deeper: unknown = Reflect.get(Object(response), "prefixes");
    for (const folder of Array.isArray(deeper) ? deeper : []) folders.push(String(folder));
    query = next;
  }
  return { names, folders };
}

/** The library has a time out per request, but none for the token that it fetches before. */
async function inTime<T>(action: () => Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new BucketFailure(`no answer in ${timeoutMs} ms`, unanswered, undefined));
  }, timeoutMs);
  try {
    return await Promise.race([action(), late]);
  } catch (error) {
    throw error instanceof BucketFailure ? error : failureOf(error);
  } finally {
    clearTimeout(timer);
  }
}

const unanswered = { status: undefined, settled: false };

/** What the library throws: HTTP errors with the status as code, network errors with a name, and texts. */
function failureOf(error: unknown): BucketFailure {
  const code: unknown = Reflect.get(Object(error), "code");
  const status = Number(code);
  if (Number.isInteger(status) && status >= 400) {
    const reason: unknown = Reflect.get(
      Object(Reflect.get(Object(error), "errors")?.[0]),
      "reason",
    );
    const text = `HTTP ${status}${typeof reason === "string" ? ` ${reason}` : ""}`;
    // 408 is told to a client whose request broke off, 5xx also to one whose request was served.
    const settled = status < 500 && status !== 408;
    return new BucketFailure(text, { status, settled }, error);
  }
  const text = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  if (/default credentials/i.test(text)) {
    return new BucketFailure("no credentials", { status: 401, settled: true }, error);
  }
  const said = typeof code === "string" ? code : text.slice(0, 160);
  return new BucketFailure(said, { status: undefined, settled: unsentCodes.has(code) }, error);
}
