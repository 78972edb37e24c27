import { createHash } from "node:crypto";
import { crc32c } from "../kafka/crc32c.ts";
import { GcsError } from "./gcs-error.ts";

/** One object, as it was uploaded. */
export type StoredObject = {
  readonly bucket: string;
  readonly name: string;
  readonly bytes: Buffer;
  /** Rises with every write to any name. */
  readonly generation: number;
  readonly contentType: string;
  /** Base64 of the CRC-32C, big endian. */
  readonly crc32c: string;
};

/** What an upload says about itself. */
export type Upload = {
  readonly name: string;
  readonly bytes: Buffer;
  readonly contentType?: string | undefined;
  /** Refused with 400 when the bytes have another one. */
  readonly crc32c?: string | undefined;
  /** 0: only if there is no such object. */
  readonly ifGenerationMatch?: number | undefined;
};

export type ListQuery = {
  readonly prefix: string;
  /** Names that hold it behind the prefix are summed up. */
  readonly delimiter: string;
  readonly maxResults: number;
  /** Names after this one. */
  readonly after: string;
};

export type Listing = {
  readonly items: readonly StoredObject[];
  readonly prefixes: readonly string[];
  /** Last name of a page that is not the last. */
  readonly next: string | undefined;
};

/** Buckets in memory, with the strong consistency of the real ones. */
export class Buckets {
  readonly #buckets = new Map<string, Map<string, StoredObject>>();
  #generation = 1_700_000_000_000_000;

  /** @throws GcsError 409 */
  create(bucket: string): void {
    if (this.#buckets.has(bucket)) throw new GcsError(409, `bucket ${bucket} exists`);
    this.#buckets.set(bucket, new Map());
  }

  /** @throws GcsError 404 */
  objects(bucket: string): Map<string, StoredObject> {
    const objects = this.#buckets.get(bucket);
    if (objects === undefined) throw new GcsError(404, "The specified bucket does not exist.");
    return objects;
  }

  /** @throws GcsError 400 for a wrong checksum, 412 where the generation is another one */
  write(bucket: string, upload: Upload): StoredObject {
    const { name, bytes, ifGenerationMatch } = upload;
    const objects = this.objects(bucket);
    const checksum = checksumOf(bytes);
    if (upload.crc32c !== undefined && upload.crc32c !== checksum) {
      throw new GcsError(400, `Provided CRC32C "${upload.crc32c}" doesn't match "${checksum}".`);
    }
    const found = objects.get(name)?.generation ?? 0;
    if (ifGenerationMatch !== undefined && ifGenerationMatch !== found) {
      throw new GcsError(412, "At least one of the pre-conditions you specified did not hold.");
    }
    const contentType = upload.contentType ?? "application/octet-stream";
    const generation = ++this.#generation;
    const stored = { bucket, name, bytes, generation, contentType, crc32c: checksum };
    objects.set(name, stored);
    return stored;
  }

  /** @throws GcsError 404 */
  read(bucket: string, name: string): StoredObject {
    const stored = this.objects(bucket).get(name);
    if (stored === undefined) throw new GcsError(404, `No such object: ${bucket}/${name}`);
    return stored;
  }

  /** @throws GcsError 404 */
  delete(bucket: string, name: string): void {
    this.read(bucket, name);
    this.objects(bucket).delete(name);
  }

  list(bucket: string, { prefix, delimiter, maxResults, after }: ListQuery): Listing {
    const prefixes = new Set<string>();
    const items: StoredObject[] = [];
    const names = [...this.objects(bucket).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    for (const stored of names) {
      if (!stored.name.startsWith(prefix) || stored.name <= after) continue;
      if (items.length + prefixes.size >= maxResults) {
        return { items, prefixes: [...prefixes], next: items.at(-1)?.name ?? after };
      }
      const cut = delimiter === "" ? -1 : stored.name.indexOf(delimiter, prefix.length);
      if (cut < 0) items.push(stored);
      else prefixes.add(stored.name.slice(0, cut + delimiter.length));
    }
    return { items, prefixes: [...prefixes], next: undefined };
  }
}

function checksumOf(bytes: Buffer): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(bytes));
  return checksum.toString("base64");
}

/** The object resource of the JSON API. */
export function resourceOf(stored: StoredObject): Readonly<Record<string, string>> {
  return {
    kind: "storage#object",
    id: `${stored.bucket}/${stored.name}/${stored.generation}`,
    name: stored.name,
    bucket: stored.bucket,
    generation: String(stored.generation),
    metageneration: "1",
    contentType: stored.contentType,
    size: String(stored.bytes.length),
    crc32c: stored.crc32c,
    md5Hash: createHash("md5").update(stored.bytes).digest("base64"),
  };
}
