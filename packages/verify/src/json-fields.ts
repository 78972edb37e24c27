import { type Fields, numberOf, wholeMs } from "./fields.ts";

/** Containers within the containers of a field: deeper ones are dead letters. */
const maxDepth = 1_000;
const notAscii = /[^ -~]/;
const wholeNumber = /^-?\d+$/;
/** In place of a text whose bytes are no UTF-8. */
const noText = Symbol("no text");
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads one JSON object as `JSON.parse` does, but for whole numbers beyond 2^53, which keep their digits.
 *
 * Bytes are taken for Latin-1 at first, which leaves JSON as it is: a text that is no UTF-8 spoils its own field alone.
 *
 * @throws where it is no JSON object
 */
export function jsonFields(value: Buffer): Fields {
  const text = value.toString("latin1");
  if (text.length > maxDepth && depthOf(text) > maxDepth + 1) throw new RangeError("too deep");
  const parsed: unknown = JSON.parse(text, revive);
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new TypeError("no object");
  }
  const fields = new Map<string, unknown>(Object.entries(parsed));
  return {
    text(name) {
      const found = fields.get(name) ?? undefined;
      if (found === undefined || (typeof found === "string" && found.isWellFormed())) return found;
      throw new TypeError(`${name} is no text`);
    },
    number: (name) => numberOf(fields.get(name)),
    time: (name, unit) => wholeMs(fields.get(name), unit),
  };
}

function revive(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source ?? "";
  if (typeof value === "number") {
    return !Number.isSafeInteger(value) && wholeNumber.test(source) ? BigInt(source) : value;
  }
  if (typeof value !== "string" || !notAscii.test(source)) return value;
  try {
    return JSON.parse(utf8.decode(Buffer.from(source, "latin1")));
  } catch {
    return noText;
  }
}

function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/gs)) {
    if (token === "[" || token === "{") deepest = Math.max(deepest, ++depth);
    else if (token === "]" || token === "}") depth -= 1;
  }
  return deepest;
}
