import { existsSync } from "node:fs";
import { z } from "zod";
import { Secret } from "./secret.ts";

type NumberField = z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>;

function numberField(pattern: RegExp, min: number, max: number, allowed: string): NumberField {
  return z.string().transform((text, context) => {
    const value = pattern.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    context.issues.push({ code: "custom", message: `must be ${allowed}`, input: text });
    return z.NEVER;
  });
}

/** Decimal digits only: no sign, no `1e3`, no `0x10`. A default is text: `wholeNumber(1, 9).prefault("4")`. */
export function wholeNumber(min: number, max: number): NumberField {
  return numberField(/^\d{1,16}$/, min, max, `a whole number from ${min} to ${max}`);
}

/** A decimal number such as `0.5` or `20000`. */
export function decimalNumber(min: number, max: number): NumberField {
  return numberField(/^\d{1,16}(\.\d{1,12})?$/, min, max, `a number from ${min} to ${max}`);
}

/** A share of the whole, 0 to 1. */
export const ratio: NumberField = decimalNumber(0, 1);

/** One of a few words, as written. */
export function oneOf<const Word extends string>(
  words: readonly Word[],
): z.ZodEnum<{ [Each in Word]: Each }> {
  return z.enum(words, { error: `must be one of ${words.join(", ")}` });
}

/** A text that matches; `allowed` completes "must be …". */
export function textLike(pattern: RegExp, allowed: string): z.ZodString {
  return z.string().regex(pattern, { error: `must be ${allowed}` });
}

/** A Kafka topic or group name that every tool accepts. */
export const kafkaName: z.ZodString = textLike(
  /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
  "1 to 249 letters, digits, dots, underscores or dashes",
);

const broker = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

/** `host:port`, several separated by commas. */
export const brokerList: z.ZodPipe<z.ZodString, z.ZodTransform<readonly string[], string>> = z
  .string()
  .transform((text, context) => {
    const brokers = text.split(",").map((entry) => entry.trim());
    const sound = brokers.every((entry) => {
      const port = Number(broker.exec(entry)?.[2]);
      return port >= 1 && port <= 65_535;
    });
    if (sound) return brokers;
    const message = "must be host:port, several separated by commas";
    context.issues.push({ code: "custom", message, input: text });
    return z.NEVER;
  });

/** The address of a server under one of the given schemes (`http`, `mongodb+srv`, …). */
export function serverUrl(...schemes: readonly string[]): z.ZodString {
  const starts = schemes.map((scheme) => `${scheme}://`);
  return z.string().refine((text) => starts.some((start) => namesHost(text, start)), {
    error: `must begin with ${starts.join(" or ")} and name a host`,
  });
}

function namesHost(text: string, start: string): boolean {
  if (!text.startsWith(start) || !/^[^\s/?#]/.test(text.slice(start.length))) return false;
  // MongoDB's URLs may name several hosts, which no URL of the web does.
  return !start.startsWith("http") || URL.canParse(text);
}

/** A file that exists when the configuration is read. */
export const existingFile: z.ZodString = z
  .string()
  .refine((path) => existsSync(path), { error: "must be the path of a file that exists" });

/** A text that is never printed. */
export const secretText: z.ZodPipe<z.ZodString, z.ZodTransform<Secret, string>> = z
  .string()
  .transform((text) => new Secret(text));

/** For `when` of a rule between fields: it holds where they have no problem of their own, whatever others have. */
export function sound(
  ...names: readonly string[]
): (payload: { readonly issues: readonly z.core.$ZodRawIssue[] }) => boolean {
  return ({ issues }) => issues.every(({ path }) => !names.includes(String(path?.[0])));
}
