import { createHash } from "node:crypto";
import type { Canary } from "./canary.ts";
import { isHeader, migrateHeader, stateVersionOf } from "./checkpoint-header.ts";
import { StreamError } from "./errors.ts";
import type { OperatorDecision } from "./operator.ts";
import type { TaskCounts } from "./task.ts";
import type { EpochMs } from "./window.ts";
import type { WindowedJob } from "./windowed-job.ts";

/** Raised when the bytes of a snapshot change their meaning, together with a migration in `state-migrations.ts`. */
export const stateSchemaVersion = 2;
/** Raised only when the step function changes: the same log then gives other results. */
export const codeVersion = 1;

/** Of frames that hold what they are about. */
const wholeFormat = 1;
/** Of deltas: code that knows none says so, rather than take them for broken. */
const deltaFormat = 2;
const magic = Buffer.from("ASCK");
const magicEnd = Buffer.from("KCSA");
const hashBytes = 32;
const prefixBytes = magic.length + 2 + 4;
const suffixBytes = hashBytes + 8 + magicEnd.length;
const maxHeaderBytes = 1 << 20;

/** Who wrote a frame; `nonce` tells one attempt from every other. */
export type Writer = {
  readonly instance: string;
  readonly nonce: string;
  readonly at: string;
  /** Member of the consumer group, where the source says which. */
  readonly memberId?: string;
  /** Since when this process has the task, ISO. */
  readonly startedAt?: string;
};

/** Watermark advance at `offset` that the log does not contain; durable before its results are published. */
export type Decision = {
  readonly offset: number;
  readonly watermark: EpochMs;
  readonly why: "idle";
};

type Identity = {
  readonly job: string;
  readonly partition: number;
  readonly seq: number;
  readonly writer: Writer;
};

/** Takes a sequence number, and with it the task, before the first record is read. */
export type ClaimHeader = Identity & {
  readonly kind: "claim";
  /** Sequence number of the checkpoint it goes on from; 0: none. */
  readonly base: number;
};

export type CheckpointHeader = Identity & {
  readonly kind: "checkpoint";
  readonly jobEpoch: number;
  /** Digest of the job's settings that give state its meaning. */
  readonly topology: string;
  /** Of the payload: see `migrateState`. The other fields are as this code has them. */
  readonly stateSchemaVersion: number;
  readonly codeVersion: number;
  readonly log: {
    readonly clusterId: string;
    readonly topic: string;
    readonly partitions: number;
    readonly nextOffset: number;
    readonly canary: Canary | null;
    /** First and next offset of the log when the task was taken over. */
    readonly low?: number;
    readonly high?: number;
  };
  /** null before the first record. */
  readonly watermark: EpochMs | null;
  readonly counts: TaskCounts;
  /** To be applied after the state in the payload is restored. */
  readonly decisions: readonly Decision[];
  /** Size of the payload once decompressed. */
  readonly stateBytes: number;
  /** The payload is what changed since another checkpoint of the same owner; absent: it is the whole state. */
  readonly delta?: DeltaBase | undefined;
} & HeaderNotes;

/** What a delta is to be applied to, a delta or a whole state. */
export type DeltaBase = {
  readonly seq: number;
  /** `frameDigest` of that very object: its number alone may have been used by another owner. */
  readonly digest: string;
};

/** What checkpoints of older code do not say. */
export type HeaderNotes = {
  /** The settings that `topology` is a digest of, by name, in words. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** The ones among them that may change, in numbers. */
  readonly timing?: Timing | undefined;
  /** Partitions the topic had when this task began. */
  readonly begunWith?: number | undefined;
  /** What operators allowed so far, oldest first. */
  readonly operator?: readonly OperatorDecision[] | undefined;
  /** Written by a clean stop: nobody published a result of a record behind it. */
  readonly savepoint?: boolean | undefined;
  /** Here the step function changed; to be superseded are results of lower epochs with w above `above`. */
  readonly supersedes?: { readonly above: number; readonly sinceMs: number } | undefined;
};

/** Settings a state can go on with when they change. */
export type Timing = Pick<
  WindowedJob,
  "watermarkDelayMs" | "allowedLatenessMs" | "maxFutureMs" | "maxKeys"
>;

export type Frame = {
  readonly header: ClaimHeader | CheckpointHeader;
  readonly payload: Uint8Array;
};

/**
 * The bytes of one object in the store:
 *
 *     "ASCK" u16 format | u32 header length | header JSON | u64 payload length | payload | sha256 of all before |
 *     u64 total length | "KCSA"          (big endian; the end tells a torn or truncated file)
 */
export function encodeFrame({ header, payload }: Frame): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const total = prefixBytes + json.length + 8 + payload.length + suffixBytes;
  const frame = Buffer.alloc(total);
  magic.copy(frame);
  const isDelta = header.kind === "checkpoint" && header.delta !== undefined;
  frame.writeUInt16BE(isDelta ? deltaFormat : wholeFormat, 4);
  frame.writeUInt32BE(json.length, 6);
  json.copy(frame, prefixBytes);
  const at = prefixBytes + json.length;
  frame.writeBigUInt64BE(BigInt(payload.length), at);
  frame.set(payload, at + 8);
  const hashAt = total - suffixBytes;
  createHash("sha256").update(frame.subarray(0, hashAt)).digest().copy(frame, hashAt);
  frame.writeBigUInt64BE(BigInt(total), hashAt + hashBytes);
  magicEnd.copy(frame, total - magicEnd.length);
  return frame;
}

/**
 * Reads a frame; every bound is checked before it is used.
 * @throws {StreamError} CHECKPOINT_UNREADABLE, or STATE_INCOMPATIBLE for a format of newer code
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (frame.length < prefixBytes + 8 + suffixBytes) throw unreadable("too short");
  if (!frame.subarray(0, 4).equals(magic)) throw unreadable("wrong first bytes");
  if (!frame.subarray(-4).equals(magicEnd)) throw unreadable("torn: the end is missing");
  const hashAt = frame.length - suffixBytes;
  if (frame.readBigUInt64BE(hashAt + hashBytes) !== BigInt(frame.length))
    throw unreadable("torn: wrong length");
  const hash = createHash("sha256").update(frame.subarray(0, hashAt)).digest();
  if (!hash.equals(frame.subarray(hashAt, hashAt + hashBytes))) throw unreadable("wrong checksum");
  const found = frame.readUInt16BE(4);
  if (found !== wholeFormat && found !== deltaFormat)
    throw incompatible(`frame format ${found}, this code reads 1 to ${deltaFormat}`);
  const headerLength = frame.readUInt32BE(6);
  const payloadAt = prefixBytes + headerLength + 8;
  if (headerLength > maxHeaderBytes || payloadAt > hashAt) throw unreadable("header length");
  const header = parseHeader(frame.toString("utf8", prefixBytes, prefixBytes + headerLength));
  if (frame.readBigUInt64BE(payloadAt - 8) !== BigInt(hashAt - payloadAt))
    throw unreadable("payload length");
  const isDelta = header.kind === "checkpoint" && header.delta !== undefined;
  if (isDelta !== (found === deltaFormat)) throw unreadable("format");
  return { header, payload: frame.subarray(payloadAt, hashAt) };
}

/** SHA-256 of a frame that was encoded or decoded, in hex: names it and everything in it. */
export function frameDigest(bytes: Uint8Array): string {
  const hashAt = bytes.length - suffixBytes;
  return Buffer.from(bytes.subarray(hashAt, hashAt + hashBytes)).toString("hex");
}

/** Names that are refused, and escapes that could spell them: only these are worth a look at every name. */
const suspicious = /__proto__|constructor|\\/;

function refuseNames(name: string, value: unknown): unknown {
  if (name === "__proto__" || name === "constructor") throw unreadable("header names");
  return value;
}

function parseHeader(json: string): Frame["header"] {
  let header: unknown;
  try {
    header = suspicious.test(json) ? JSON.parse(json, refuseNames) : JSON.parse(json);
  } catch (error) {
    throw error instanceof StreamError ? error : unreadable("header is no JSON");
  }
  // Newer code may have other fields: say that it is newer, rather than fall back to an older checkpoint.
  const stateVersion = stateVersionOf(header);
  if (stateVersion > stateSchemaVersion) {
    throw incompatible(`state version ${stateVersion}, this code reads ${stateSchemaVersion}`);
  }
  const migrated = migrateHeader(header);
  if (!isHeader(migrated)) throw unreadable("header fields");
  return migrated;
}

function unreadable(what: string): StreamError {
  return new StreamError("CHECKPOINT_UNREADABLE", "stop", `checkpoint frame: ${what}`);
}

function incompatible(what: string): StreamError {
  return new StreamError(
    "STATE_INCOMPATIBLE",
    "stop",
    `checkpoint was written by newer code: ${what}`,
  );
}
