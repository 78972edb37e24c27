import { createHash } from "node:crypto";

/** Larger objects are uploaded in parts, so that what has to be sent again after a failure stays small. */
export const maxWholeBytes = 32 * 2 ** 20;
const partBytes = 16 * 2 ** 20;
const magic = Buffer.from("ASCP1\n");

/** Stands in the place of an object that is kept in parts, and names them in order. */
export type Manifest = {
  readonly totalBytes: number;
  /** SHA-256 of each part in hex; a part is named by it. */
  readonly parts: readonly string[];
};

export type Part = { readonly hash: string; readonly bytes: Uint8Array };

/** Folder of the parts of object `name`. */
export function partsFolder(name: string): string {
  return `${name}.parts/`;
}

export function partsOf(bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < bytes.length; at += partBytes) {
    const part = bytes.subarray(at, at + partBytes);
    parts.push({ hash: hashOf(part), bytes: part });
  }
  return parts;
}

export function encodeManifest(parts: readonly Part[]): Uint8Array {
  const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const manifest: Manifest = { totalBytes, parts: parts.map(({ hash }) => hash) };
  return Buffer.concat([magic, Buffer.from(JSON.stringify(manifest))]);
}

/** @returns undefined for bytes that are an object themselves */
export function decodeManifest(bytes: Uint8Array): Manifest | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!buffer.subarray(0, magic.length).equals(magic)) return undefined;
  try {
    const found: unknown = JSON.parse(buffer.toString("utf8", magic.length));
    return isManifest(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined when a part is missing or not the one that was written */
export function joinParts(
  { totalBytes, parts }: Manifest,
  found: readonly (Uint8Array | undefined)[],
): Uint8Array | undefined {
  const sound: Uint8Array[] = [];
  for (const [at, hash] of parts.entries()) {
    const bytes = found[at];
    if (bytes === undefined || hashOf(bytes) !== hash) return undefined;
    sound.push(bytes);
  }
  const whole = Buffer.concat(sound);
  return whole.length === totalBytes ? whole : undefined;
}

function isManifest(value: unknown): value is Manifest {
  const { totalBytes, parts } = Object(value);
  const hashes = Array.isArray(parts) && parts.every((part) => /^[0-9a-f]{64}$/.test(String(part)));
  return hashes && Number.isSafeInteger(totalBytes);
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
