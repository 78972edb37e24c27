import { rejectCode } from "@adstream/engine/columns";

/** Confluent's frame before every value: magic byte 0, schema id as 4 bytes big-endian. */
export const frameBytes = 5;

const magicByte = 0;
const shortFrame = -rejectCode("short frame");
const wrongMagicByte = -rejectCode("wrong magic byte");

/**
 * Schema id of the framed value `bytes[start, start + length)`.
 *
 * @returns the id, unsigned, or minus the number of the reject reason: "short frame" or "wrong magic byte"
 */
export function frameSchemaId(bytes: Uint8Array, start: number, length: number): number {
  if (length < frameBytes) return shortFrame;
  if (bytes[start] !== magicByte) return wrongMagicByte;
  return (
    (((bytes[start + 1] ?? 0) << 24) |
      ((bytes[start + 2] ?? 0) << 16) |
      ((bytes[start + 3] ?? 0) << 8) |
      (bytes[start + 4] ?? 0)) >>>
    0
  );
}

/** `payload` behind its frame, as a registry's clients send it. */
export function frame(schemaId: number, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(frameBytes + payload.length);
  framed.set(payload, writeFrame(framed, schemaId));
  return framed;
}

/** Begins `into` with the frame, and returns where the payload starts. */
export function writeFrame(into: Buffer, schemaId: number): number {
  into.writeUInt8(magicByte, 0);
  return into.writeUInt32BE(schemaId, 1);
}
