import type { CheckpointStore } from "@adstream/engine/ports";
import { bucketCheckpoints, openBucketCheckpoints } from "./bucket-checkpoints.ts";
import { openFileCheckpoints, readFileCheckpoints } from "./file-checkpoints.ts";

/** A store to look around in. */
export type BrowsableStore = CheckpointStore & {
  /** Names of the folders in `folder`, "" being the place itself; a missing folder has none. */
  folders(folder: string): Promise<string[]>;
};

/** Where checkpoints are kept, as `CHECKPOINT_URL` names it. */
export type CheckpointPlace =
  | { readonly kind: "file"; readonly directory: string }
  | { readonly kind: "bucket"; readonly bucket: string; readonly prefix: string };

/** What `CHECKPOINT_URL` may be; completes "must be …". */
export const checkpointUrlForm =
  "a local directory like file:.data/checkpoints or a bucket like gs://bucket/prefix";

/** @returns undefined for a text that names no place */
export function checkpointPlace(url: string): CheckpointPlace | undefined {
  const directory = /^file:(?:\/\/(?=\/))?(.+)$/.exec(url)?.[1];
  if (directory !== undefined) return { kind: "file", directory };
  // Names of buckets as Google allows them; a prefix is any path without empty, "." and ".." steps.
  const match = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/(.*))?$/.exec(url);
  const [, bucket, path = ""] = match ?? [];
  if (bucket === undefined) return undefined;
  const prefix = path.replace(/\/$/, "");
  const steps = prefix === "" ? [] : prefix.split("/");
  const sound = steps.every(
    (step) => /^[^\p{Cc}#?*[\]]{1,200}$/u.test(step) && !/^\.{1,2}$/.test(step),
  );
  return sound ? { kind: "bucket", bucket, prefix } : undefined;
}

/** The place as its URL. */
export function checkpointUrl(place: CheckpointPlace): string {
  if (place.kind === "file") return `file:${place.directory}`;
  return `gs://${place.bucket}${place.prefix === "" ? "" : `/${place.prefix}`}`;
}

/**
 * Opens the store that a processor writes to, and tries it out. `endpoint` is that of a bucket emulator.
 * @throws {StreamError} CHECKPOINT_STORE_UNFIT, NOT_AUTHORIZED; SERVER_UNAVAILABLE (retry) while a bucket does not answer
 */
export function openCheckpointStore(
  place: CheckpointPlace,
  endpoint: string | undefined,
): Promise<CheckpointStore> {
  if (place.kind === "file") return openFileCheckpoints(place.directory);
  return openBucketCheckpoints({ ...place, endpoint });
}

/**
 * Opens it to be read, and leaves nothing there.
 * @throws {StreamError} CHECKPOINT_STORE_UNFIT when there is no such directory
 */
export function readCheckpointStore(
  place: CheckpointPlace,
  endpoint: string | undefined,
): Promise<BrowsableStore> {
  if (place.kind === "file") return readFileCheckpoints(place.directory);
  return bucketCheckpoints({ ...place, endpoint });
}
