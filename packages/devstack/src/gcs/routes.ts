import { type Buckets, resourceOf } from "./buckets.ts";
import type { GcsOperation } from "./faults.ts";
import { GcsError } from "./gcs-error.ts";
import { readMultipart } from "./multipart.ts";

/** A request, with what it is for. */
export type GcsRequest = {
  readonly operation: GcsOperation;
  readonly bucket: string;
  /** Object; empty for requests about a bucket. */
  readonly name: string;
  readonly query: URLSearchParams;
};

export type GcsReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/**
 * What a request is for.
 *
 * Served is what @google-cloud/storage sends for one-request uploads, reads, listings and removals, under `/storage/v1`.
 * Left out: resumable uploads, which need two requests, access control, versions, and everything about keys.
 *
 * @throws GcsError 404 for a path that is not served
 */
export function requestOf(method: string, url: URL): GcsRequest {
  const { pathname, searchParams: query } = url;
  const upload = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(pathname);
  if (upload !== null && method === "POST") {
    return {
      operation: "upload",
      bucket: decoded(upload[1]),
      name: query.get("name") ?? "",
      query,
    };
  }
  const match = /^(?:\/download)?\/storage\/v1\/b(?:\/([^/]+)(?:\/o(?:\/([^/]+))?)?)?$/.exec(
    pathname,
  );
  if (match === null) throw new GcsError(404, `not served here: ${method} ${pathname}`);
  const bucket = decoded(match[1]);
  const name = decoded(match[2]);
  return { operation: operationOf(method, pathname, query, { bucket, name }), bucket, name, query };
}

function operationOf(
  method: string,
  pathname: string,
  query: URLSearchParams,
  { bucket, name }: Pick<GcsRequest, "bucket" | "name">,
): GcsOperation {
  if (method === "POST" && bucket === "") return "create-bucket";
  if (name !== "" && method === "DELETE") return "delete";
  if (method !== "GET") throw new GcsError(405, `${method} is not served`);
  if (name !== "") return query.get("alt") === "media" ? "download" : "metadata";
  return pathname.endsWith("/o") ? "list" : "bucket";
}

function decoded(part: string | undefined): string {
  return decodeURIComponent(part ?? "");
}

const uploadMode = "uploadType=multipart is what is served; set resumable: false";

/**
 * Lets a request take effect.
 *
 * @throws GcsError with the status the real service answers
 */
export function take(
  buckets: Buckets,
  request: GcsRequest,
  contentType: string,
  body: Buffer,
): GcsReply {
  const { operation, bucket, name, query } = request;
  const effects: Readonly<Record<GcsOperation, () => GcsReply>> = {
    "create-bucket": () => json(createBucket(buckets, body)),
    bucket: () => json(describeBucket(buckets, bucket)),
    upload: () => json(resourceOf(upload(buckets, request, contentType, body))),
    metadata: () => json(resourceOf(buckets.read(bucket, name))),
    download: () => download(buckets, request),
    delete: () => remove(buckets, request),
    list: () => json(list(buckets, bucket, query)),
  };
  return effects[operation]();
}

function describeBucket(buckets: Buckets, bucket: string): object {
  buckets.objects(bucket);
  return { kind: "storage#bucket", id: bucket, name: bucket };
}

function remove(buckets: Buckets, { bucket, name }: GcsRequest): GcsReply {
  buckets.delete(bucket, name);
  return { status: 204, headers: {}, body: Buffer.alloc(0) };
}

function createBucket(buckets: Buckets, body: Buffer): object {
  const { name } = Object(JSON.parse(body.toString("utf8")));
  if (typeof name !== "string" || name.length < 3) throw new GcsError(400, "Invalid bucket name");
  buckets.create(name);
  return { kind: "storage#bucket", id: name, name };
}

function upload(
  buckets: Buckets,
  { bucket, name, query }: GcsRequest,
  contentType: string,
  body: Buffer,
): ReturnType<Buckets["write"]> {
  if (query.get("uploadType") !== "multipart") throw new GcsError(400, uploadMode);
  const { metadata, contentType: own, content } = readMultipart(contentType, body);
  const { crc32c } = metadata;
  const match = query.get("ifGenerationMatch");
  return buckets.write(bucket, {
    name,
    bytes: content,
    contentType: own,
    crc32c: typeof crc32c === "string" ? crc32c : undefined,
    ifGenerationMatch: match === null ? undefined : Number(match),
  });
}

function download(buckets: Buckets, { bucket, name }: GcsRequest): GcsReply {
  const { bytes, contentType, crc32c, generation } = buckets.read(bucket, name);
  const headers = {
    "Content-Type": contentType,
    "x-goog-generation": String(generation),
    "x-goog-hash": `crc32c=${crc32c}`,
    "x-goog-stored-content-encoding": "identity",
    "x-goog-stored-content-length": String(bytes.length),
  };
  return { status: 200, headers, body: bytes };
}

function list(buckets: Buckets, bucket: string, query: URLSearchParams): object {
  const { items, prefixes, next } = buckets.list(bucket, {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    maxResults: Math.min(1_000, Number(query.get("maxResults") ?? 1_000)),
    after: Buffer.from(query.get("pageToken") ?? "", "base64url").toString("utf8"),
  });
  return {
    kind: "storage#objects",
    items: items.map(resourceOf),
    prefixes,
    ...(next !== undefined && { nextPageToken: Buffer.from(next).toString("base64url") }),
  };
}

function json(body: object): GcsReply {
  const headers = { "Content-Type": "application/json; charset=UTF-8" };
  return { status: 200, headers, body: Buffer.from(JSON.stringify(body)) };
}

/** The answer to a request that failed. */
export function errorReply(error: unknown): GcsReply {
  const { status, message, reason } =
    error instanceof GcsError ? error : new GcsError(400, String(error));
  const errors = [{ domain: "global", reason, message }];
  return { ...json({ error: { code: status, message, errors } }), status };
}
