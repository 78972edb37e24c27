import { validUtf8 } from "./utf8.ts";

/**
 * What the JSON string `bytes[from, to)`, quotes included and well-formed, says in UTF-8: for the few with escapes.
 *
 * @returns undefined when it has bytes that are no UTF-8, or halves of surrogate pairs, which have no UTF-8
 */
export function unescaped(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
  if (!validUtf8(bytes, from, to)) return undefined;
  const text: unknown = JSON.parse(
    Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString(),
  );
  return typeof text === "string" && text.isWellFormed() ? Buffer.from(text) : undefined;
}
