import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrame, encodeFrame, type Frame, stateSchemaVersion } from "../src/checkpoint.ts";
import { StreamError } from "../src/errors.ts";
import { checkpointFrame, claimFrame } from "./fakes/frames.ts";

const payload = Uint8Array.from({ length: 40 }, (_, at) => at);

/** The error of reading these bytes; undefined when they are accepted. */
function refusal(bytes: Uint8Array): StreamError | undefined {
  try {
    decodeFrame(bytes);
  } catch (error) {
    if (error instanceof StreamError) return error;
    throw error;
  }
  return undefined;
}

/** Mends length and checksum, so that only what the test changed is wrong. */
function sealed(bytes: Uint8Array): Uint8Array {
  const frame = Buffer.from(bytes);
  const hashAt = frame.length - 44;
  createHash("sha256").update(frame.subarray(0, hashAt)).digest().copy(frame, hashAt);
  frame.writeBigUInt64BE(BigInt(frame.length), hashAt + 32);
  return frame;
}

/** A frame with this header text, sealed. */
function framed(json: string): Uint8Array {
  const header = Buffer.from(json);
  const frame = Buffer.alloc(10 + header.length + 8 + 44);
  frame.write("ASCK");
  frame.writeUInt16BE(1, 4);
  frame.writeUInt32BE(header.length, 6);
  header.copy(frame, 10);
  frame.write("KCSA", frame.length - 4);
  return sealed(frame);
}

describe("a checkpoint frame", () => {
  test("is read back as it was written, from any position in memory", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.string(),
        fc.nat(9),
        (bytes, job, shift) => {
          for (const frame of [checkpointFrame(7, { job }, bytes), claimFrame(8, 7, { job })]) {
            const encoded = encodeFrame(frame);
            const moved = new Uint8Array(encoded.length + shift).subarray(shift);
            moved.set(encoded);
            const decoded: Frame = decodeFrame(moved);
            expect(decoded.header).toEqual(frame.header);
            expect(Uint8Array.from(decoded.payload)).toEqual(Uint8Array.from(frame.payload));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("has the layout that its description gives", () => {
    const { header } = checkpointFrame(7, {}, payload);
    const bytes = Buffer.from(encodeFrame({ header, payload }));
    const json = Buffer.from(JSON.stringify(header));
    expect(bytes.toString("latin1", 0, 4)).toBe("ASCK");
    expect(bytes.readUInt16BE(4)).toBe(1);
    expect(bytes.readUInt32BE(6)).toBe(json.length);
    expect(bytes.subarray(10, 10 + json.length)).toEqual(json);
    expect(bytes.readBigUInt64BE(10 + json.length)).toBe(40n);
    expect(bytes.readBigUInt64BE(bytes.length - 12)).toBe(BigInt(bytes.length));
    expect(bytes.toString("latin1", bytes.length - 4)).toBe("KCSA");
  });

  test("cut off anywhere is refused", () => {
    const bytes = encodeFrame(checkpointFrame(7, {}, payload));
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(bytes.subarray(0, length))?.code).toBe("CHECKPOINT_UNREADABLE");
    }
  });

  test("with any single byte changed is refused", () => {
    const bytes = encodeFrame(checkpointFrame(7, {}, payload));
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const broken = Uint8Array.from(bytes);
        broken[at] = (broken[at] ?? 0) ^ flip;
        expect(refusal(broken)?.code).toBe("CHECKPOINT_UNREADABLE");
      }
    }
  });

  test("followed by anything is refused", () => {
    const bytes = encodeFrame(checkpointFrame(7, {}, payload));
    expect(refusal(Buffer.concat([bytes, Buffer.from("x")]))?.code).toBe("CHECKPOINT_UNREADABLE");
    expect(refusal(Buffer.concat([bytes, bytes]))?.code).toBe("CHECKPOINT_UNREADABLE");
  });

  test("of random bytes is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(refusal(bytes)?.code).toBe("CHECKPOINT_UNREADABLE");
      }),
      { numRuns: 500 },
    );
  });

  test.each([0, 3, 0xffff])(
    "of format %d with a right checksum waits for an operator",
    (format) => {
      const bytes = Buffer.from(encodeFrame(checkpointFrame(7, {}, payload)));
      bytes.writeUInt16BE(format, 4);
      expect(refusal(sealed(bytes))).toMatchObject({ code: "STATE_INCOMPATIBLE", exitCode: 78 });
    },
  );

  test("of a delta has a format of its own, so that code without deltas does not fall back", () => {
    const delta = { seq: 6, digest: "0".repeat(64) };
    const bytes = Buffer.from(encodeFrame(checkpointFrame(7, { delta }, payload)));
    expect(bytes.readUInt16BE(4)).toBe(2);
    expect(decodeFrame(bytes).header).toMatchObject({ delta });
    bytes.writeUInt16BE(1, 4);
    expect(refusal(sealed(bytes))?.code).toBe("CHECKPOINT_UNREADABLE");
    const whole = Buffer.from(encodeFrame(checkpointFrame(7, {}, payload)));
    whole.writeUInt16BE(2, 4);
    expect(refusal(sealed(whole))?.code).toBe("CHECKPOINT_UNREADABLE");
    const short = { seq: 6, digest: "0".repeat(63) };
    const named = encodeFrame(checkpointFrame(7, { delta: short }, payload));
    expect(refusal(named)?.code).toBe("CHECKPOINT_UNREADABLE");
  });

  test("of a newer state version waits for an operator", () => {
    const newer = checkpointFrame(7, { stateSchemaVersion: stateSchemaVersion + 1 }, payload);
    expect(refusal(encodeFrame(newer))?.code).toBe("STATE_INCOMPATIBLE");
    const strange = { ...newer.header, counts: "twelve" };
    expect(refusal(framed(JSON.stringify(strange)))?.code).toBe("STATE_INCOMPATIBLE");
  });

  test.each([
    ["header", 6, 4, 0xff_ff_ff_ffn],
    ["header, just over the payload length", 6, 4, 2_000n],
    ["payload", undefined, 8, 2n ** 64n - 1n],
    ["payload, one short", undefined, 8, 39n],
  ])("whose %s length is a lie is refused, checksum right or not", (_, place, size, length) => {
    const frame = checkpointFrame(7, {}, payload);
    const bytes = Buffer.from(encodeFrame(frame));
    const at = place ?? 10 + Buffer.byteLength(JSON.stringify(frame.header));
    bytes.set(Buffer.from(length.toString(16).padStart(size * 2, "0"), "hex"), at);
    expect(refusal(sealed(bytes))?.code).toBe("CHECKPOINT_UNREADABLE");
  });
});

describe("a header with a right checksum is refused", () => {
  const checkpoint = checkpointFrame(7).header;
  const claim = claimFrame(7, 6).header;

  test.each(["", "{", "null", "7", '"x"', "[]", "{}", "\u0000", '{"kind":"other"}'])(
    "when it is %j",
    (json) => expect(refusal(framed(json))?.code).toBe("CHECKPOINT_UNREADABLE"),
  );

  test.each(["__proto__", "constructor"])("when it names %s", (name) => {
    const json = JSON.stringify(claim).replace('"kind"', `"${name}":{},"kind"`);
    expect(refusal(framed(json))?.code).toBe("CHECKPOINT_UNREADABLE");
  });

  test("unless it is whole", () => {
    expect(refusal(framed(JSON.stringify(claim)))).toBeUndefined();
    expect(refusal(framed(JSON.stringify(checkpoint)))).toBeUndefined();
  });

  const garbage = [null, "x", -1.5, [], {}, true];
  const fields = [
    ...Object.keys(claim).map((field) => [claim, field] as const),
    ...Object.keys(checkpoint).map((field) => [checkpoint, field] as const),
  ];

  test.each(fields)("when of %o the field %s is missing or of another type", (header, field) => {
    const plain = new Map<string, unknown>(Object.entries(header));
    plain.delete(field);
    expect(refusal(framed(JSON.stringify(Object.fromEntries(plain))))).toBeDefined();
    for (const value of garbage) {
      if (sameKind(value, new Map(Object.entries(header)).get(field))) continue;
      if (field === "watermark" && value === null) continue;
      plain.set(field, value);
      const bytes = framed(JSON.stringify(Object.fromEntries(plain)));
      expect([field, value, refusal(bytes)?.code]).toEqual([field, value, "CHECKPOINT_UNREADABLE"]);
    }
  });

  test.each([
    ["writer", "nonce"],
    ["writer", "instance"],
    ["writer", "at"],
    ["log", "clusterId"],
    ["log", "topic"],
    ["log", "partitions"],
    ["log", "nextOffset"],
    ["log", "canary"],
    ["counts", "in"],
    ["counts", "late"],
    ["counts", "dead"],
    ["counts", "duplicates"],
  ] as const)("when in %s there is no %s", (outer, inner) => {
    const copy: Record<string, Record<string, unknown>> = structuredClone({
      writer: { ...checkpoint.writer },
      log: { ...checkpoint.log },
      counts: { ...checkpoint.counts },
    });
    delete copy[outer]?.[inner];
    const json = JSON.stringify({ ...checkpoint, ...copy });
    expect(refusal(framed(json))?.code).toBe("CHECKPOINT_UNREADABLE");
  });

  test.each([
    [[null]],
    [[{}]],
    [[{ offset: 1, watermark: null, why: "idle" }]],
    [[{ offset: "1", watermark: 5, why: "idle" }]],
  ])("when its decisions are %j", (decisions) => {
    const json = JSON.stringify({ ...checkpoint, decisions });
    expect(refusal(framed(json))?.code).toBe("CHECKPOINT_UNREADABLE");
  });
});

describe("a header of state version 1", () => {
  const { header } = checkpointFrame(7, { stateSchemaVersion: 1 });
  const { duplicates: _, ...counts } = header.counts;

  test("counted no duplicates, and keeps its version, which the payload has", () => {
    const decoded = decodeFrame(framed(JSON.stringify({ ...header, counts })));
    expect(decoded.header).toEqual({ ...header, counts: { ...counts, duplicates: 0 } });
  });

  test.each([[null], ["x"], [{ in: 1, late: 0 }]])(
    "is refused when its counts are %j",
    (counts) => {
      const bytes = framed(JSON.stringify({ ...header, counts }));
      expect(refusal(bytes)?.code).toBe("CHECKPOINT_UNREADABLE");
    },
  );
});

/** A value that the field might hold; an empty object or list stands for a different one of its kind. */
function sameKind(a: unknown, b: unknown): boolean {
  if (b === null) return a === null;
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b);
  return typeof a === typeof b && a !== null && !(typeof a === "object") && a !== -1.5;
}
