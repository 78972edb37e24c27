import { adStatsShape } from "@adstream/contracts/ad-stats";
import { type Result, type ResultShape, resultStatuses } from "@adstream/contracts/result-shape";
import { z } from "zod";

/** What `Date` can hold. */
export const maxTimeMs = 8.64e15;
export const maxKeyBytes = 256;

const keyText = z
  .string()
  .refine((text) => text.isWellFormed(), "is no text")
  .refine((text) => text !== "" && Buffer.byteLength(text) <= maxKeyBytes, "has a wrong size");

/** A long that a double holds exactly; decoders give either form. */
const whole = z.union([z.int(), z.bigint().transform(Number).pipe(z.int())]);
const count = whole.refine((value) => value >= 0, "is negative");
const time = whole.refine((value) => Math.abs(value) <= maxTimeMs, "is no time");

/** Reads a decoded value of the results topic. @returns the reason, as text, when it is not a result */
export type ResultParser = (value: unknown) => Result | string;

/** Composes the check of values before anything is made of them. @param shape without it that of ad-stats */
export function resultParser(shape: ResultShape = adStatsShape): ResultParser {
  const schema = schemaOf(shape);
  return (value) => {
    const { data, error } = schema.safeParse(value);
    if (data !== undefined) return data;
    const issue = error.issues[0];
    return `${issue?.path.join(".") || "result"}: ${issue?.message ?? "is not a result"}`;
  };
}

function schemaOf({ key, figures }: ResultShape): z.ZodType<Result> {
  const fields = {
    window_start: time,
    window_end: time,
    slot: count.refine((slot) => slot < 2 ** 31, "is no partition"),
    version: z.union([z.bigint(), z.int().transform(BigInt)]),
    status: z.enum(resultStatuses),
    count,
    max_event_time: time,
    max_record_time: whole,
  };
  return z
    .object({
      ...Object.fromEntries(
        figures.map(({ name, type }) => [name, type === "long" ? count : z.number()]),
      ),
      [key]: keyText,
      ...fields,
    })
    .refine(({ window_start, window_end }) => window_start < window_end, "ends before it starts");
}
