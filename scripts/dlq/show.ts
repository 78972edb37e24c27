import type { RegisteredSchema } from "@adstream/kafka/schema-registry";
import { frameBytes } from "@adstream/kafka/wire-format";
import { escaped } from "@adstream/verify/report";
import { timeText } from "./list.ts";
import type { Letter } from "./letters.ts";

/** What reading the value again gives: its text, or why it cannot be read. */
export type Decode = (letter: Letter) => Promise<string>;

const bytesPerLine = 16;
const maxHexLines = 64;

/** One letter for people. Nothing of it can steer the terminal. */
export async function showLines(letter: Letter, decode: Decode): Promise<string[]> {
  const { topic, partition, offset, time, reason, schemaId, key, value, dropped } = letter;
  const keyText = key === null ? "-" : escaped(key.toString("utf8"));
  const size =
    dropped !== undefined
      ? `${dropped.bytes} bytes, too large to keep; sha256 ${escaped(dropped.sha256)}`
      : value === null
        ? "none"
        : `${value.length} bytes`;
  return [
    `origin     ${escaped(topic)} partition ${partition} offset ${offset}`,
    `time       ${timeText(time)}`,
    `reason     ${escaped(reason)}`,
    `schema id  ${schemaId ?? "-"}`,
    `key        ${keyText}`,
    `value      ${size}`,
    ...Object.entries(letter.headers).map(([name, text]) => {
      return `header     ${escaped(name)} = ${escaped(text)}`;
    }),
    ...(value === null ? [] : hexLines(value)),
    ...(value === null ? [] : [`decoded    ${escaped(await decode(letter))}`]),
  ];
}

/** The same for programs; bytes as hex. */
export async function showJson(letter: Letter, decode: Decode): Promise<object> {
  const { key, value, ...rest } = letter;
  return {
    ...rest,
    key: key?.toString("hex") ?? null,
    value: value?.toString("hex") ?? null,
    decoded: value === null ? null : await decode(letter),
  };
}

/** Offset, bytes and what of them is printable ASCII; the frame's five bytes stand in the first line. */
function hexLines(value: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at < value.length && lines.length < maxHexLines; at += bytesPerLine) {
    const part = value.subarray(at, at + bytesPerLine);
    const hex = part.toString("hex").replaceAll(/../g, "$& ");
    const text = part.toString("latin1").replaceAll(/[^\x20-\x7e]/g, ".");
    lines.push(`${at.toString(16).padStart(8, "0")}   ${hex.padEnd(bytesPerLine * 3)} ${text}`);
  }
  const left = value.length - lines.length * bytesPerLine;
  return left > 0 ? [...lines, `… ${left} more bytes (--json has them all)`] : lines;
}

/** Takes a value for JSON as a whole: its own text, with all the digits there are. */
export async function decodeJson({ value }: Letter): Promise<string> {
  const text = String(value);
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    return `no: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Reads a value by the schema of its id as it is now. */
export function decoder(
  fetchSchema: (id: number) => Promise<RegisteredSchema>,
  codecOf: (schemaText: string) => { decode(bytes: Uint8Array): unknown },
): Decode {
  return async ({ value, schemaId }) => {
    if (value === null || schemaId === undefined) return "no: not framed";
    try {
      const schema = await fetchSchema(schemaId);
      if (schema.kind === "unknown") return `no: schema id ${schemaId} is not registered`;
      return JSON.stringify(codecOf(schema.text).decode(value.subarray(frameBytes)));
    } catch (error) {
      return `no: ${error instanceof Error ? error.message : String(error)}`;
    }
  };
}
