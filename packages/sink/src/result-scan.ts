import { type ResultShape, resultStatuses } from "@adstream/contracts/result-shape";
import { type AvroField, type AvroType, parseAvroSchema } from "@adstream/kafka/avro-schema";
import {
  type ByteCursor,
  readDouble,
  readLength,
  readVarint,
  readVarlong,
} from "@adstream/kafka/byte-cursor";

import { maxKeyBytes, maxTimeMs } from "./parse-result.ts";

/** What a scan finds in one value; filled again for each. */
export type ScannedResult = {
  windowStart: number;
  windowEnd: number;
  slot: number;
  /** The version's bits from 48 on, and those below. */
  epoch: number;
  step: number;
  /** In the bytes of the cursor; ASCII. */
  keyStart: number;
  keyEnd: number;
};

export function createScanned(): ScannedResult {
  return { windowStart: 0, windowEnd: 0, slot: 0, epoch: 0, step: 0, keyStart: 0, keyEnd: 0 };
}

/**
 * Looks through the value between the cursor's position and its end without making anything of it.
 *
 * @returns true: it is a sound result, which `resultParser` takes, and `into` holds what names it. false: it may be one;
 *   whoever decodes it finds out
 */
export type ResultScan = (cursor: ByteCursor, into: ScannedResult) => boolean;

/** @returns undefined for a writer's schema with other fields than the results of this job have */
export function composeResultScan(schemaText: string, shape: ResultShape): ResultScan | undefined {
  const schema = parseAvroSchema(schemaText);
  const rules = fieldRules(shape);
  if (schema.kind !== "record" || schema.fields.length !== rules.size) return undefined;
  const steps: ResultScan[] = [];
  for (const field of schema.fields) {
    const rule = rules.get(field.name);
    if (rule === undefined || !fits(field, rule.kind)) return undefined;
    steps.push(rule.scan);
  }
  return (cursor, into) => {
    for (const step of steps) if (!step(cursor, into)) return false;
    return (
      cursor.fault === 0 && cursor.position === cursor.end && into.windowStart < into.windowEnd
    );
  };
}

type FieldRule = { readonly kind: AvroType["kind"]; readonly scan: ResultScan };

/** One for each field of `resultSchema`, with the rules of `resultParser`. */
function fieldRules({ key, figures }: ResultShape): ReadonlyMap<string, FieldRule> {
  const rules = new Map<string, FieldRule>([
    [key, { kind: "string", scan: scanKey }],
    ["window_start", { kind: "long", scan: scanWindowStart }],
    ["window_end", { kind: "long", scan: scanWindowEnd }],
    ["slot", { kind: "int", scan: scanSlot }],
    ["version", { kind: "long", scan: scanVersion }],
    ["status", { kind: "enum", scan: scanStatus }],
    ["count", { kind: "long", scan: scanCount }],
    ["max_event_time", { kind: "long", scan: scanTime }],
    ["max_record_time", { kind: "long", scan: scanWhole }],
  ]);
  for (const { name, type } of figures) {
    rules.set(name, { kind: type, scan: type === "long" ? scanCount : scanReal });
  }
  return rules;
}

function fits({ type }: AvroField, kind: AvroType["kind"]): boolean {
  if (type.kind !== kind) return false;
  return type.kind !== "enum" || type.symbols.join() === resultStatuses.join();
}

function scanKey(cursor: ByteCursor, into: ScannedResult): boolean {
  const length = readLength(cursor);
  if (length === 0 || length > maxKeyBytes) return false;
  const { bytes, position } = cursor;
  let seen = 0;
  for (let at = position; at < position + length; at++) seen |= bytes[at] ?? 0;
  into.keyStart = position;
  into.keyEnd = cursor.position = position + length;
  return seen < 0x80;
}

function scanWindowStart(cursor: ByteCursor, into: ScannedResult): boolean {
  into.windowStart = readVarlong(cursor);
  return isTime(into.windowStart);
}

function scanWindowEnd(cursor: ByteCursor, into: ScannedResult): boolean {
  into.windowEnd = readVarlong(cursor);
  return isTime(into.windowEnd);
}

function scanSlot(cursor: ByteCursor, into: ScannedResult): boolean {
  into.slot = readVarint(cursor);
  return into.slot >= 0;
}

/**
 * A zigzag varint of 64 bits, more than a number holds: taken apart into groups of 28 bits, and negative ones, which
 * nobody writes, are left to the decoder.
 */
function scanVersion(cursor: ByteCursor, into: ScannedResult): boolean {
  const { bytes, end } = cursor;
  let { position } = cursor;
  let [low, middle, high, byte] = [0, 0, 0, 0x80];
  for (let bit = 0; byte > 0x7f; bit += 7) {
    if (bit > 63 || position >= end) return false;
    byte = bytes[position++] ?? 0;
    if (bit < 28) low |= (byte & 0x7f) << bit;
    else if (bit < 56) middle |= (byte & 0x7f) << (bit - 28);
    else high |= (byte & 0x7f) << (bit - 56);
  }
  cursor.position = position;
  into.step = (low >>> 1) + (middle & 0x1f_ffff) * 2 ** 27;
  into.epoch = (middle >>> 21) + high * 2 ** 7;
  return (low & 1) === 0 && high < 2 ** 8;
}

function scanStatus(cursor: ByteCursor): boolean {
  const status = readVarint(cursor);
  return status >= 0 && status < resultStatuses.length;
}

function scanCount(cursor: ByteCursor): boolean {
  const value = readVarlong(cursor);
  return value >= 0 && Number.isSafeInteger(value);
}

function scanWhole(cursor: ByteCursor): boolean {
  return Number.isSafeInteger(readVarlong(cursor));
}

function scanTime(cursor: ByteCursor): boolean {
  return isTime(readVarlong(cursor));
}

function scanReal(cursor: ByteCursor): boolean {
  return Number.isFinite(readDouble(cursor));
}

function isTime(value: number): boolean {
  return Math.abs(value) <= maxTimeMs;
}
