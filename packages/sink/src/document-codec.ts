import type { ResultDocument, ResultSlot } from "@adstream/contracts/documents";
import { type ResultShape, resultStatuses } from "@adstream/contracts/result-shape";
import { type Document, Long } from "mongodb";
import { z } from "zod";

import type { DocumentFigures } from "./ports.ts";

/** The figures with `version` and `rev` as the longs they are in MongoDB. Holds no field name made of data. */
export function encodeFigures(figures: DocumentFigures): Document {
  const slots: Document = {};
  for (const [name, slot] of Object.entries(figures.slots)) {
    slots[name] = { ...slot, version: Long.fromBigInt(slot.version) };
  }
  return { ...figures, slots, rev: Long.fromNumber(figures.rev) };
}

/**
 * Composes what reads a document as the driver gives it with `promoteLongs: false`; of the job whose results have the
 * shape.
 *
 * @returns undefined when it lacks what a merge needs: it is not one of ours
 */
export function documentDecoder(
  shape: ResultShape,
): (document: Document) => ResultDocument | undefined {
  const { key, figures, ratios } = shape;
  const ofSlot = z.object(Object.fromEntries(figures.map(({ name }) => [name, figure])));
  // Where no slot has records there is no maximum, and nothing to divide by.
  const totals = [...figures, ...ratios].map(({ name }) => [name, figure.nullable()]);
  const ofDocument = z.object({ ...Object.fromEntries(totals), [key]: z.string() });
  return (document) => {
    const [common, fields] = [anyJob.safeParse(document).data, ofDocument.safeParse(document).data];
    if (common === undefined || fields === undefined) return undefined;
    const slots: Record<string, ResultSlot> = {};
    for (const [name, { version, status, count, ...rest }] of Object.entries(common.slots)) {
      const values = ofSlot.safeParse(rest).data;
      if (values === undefined) return undefined;
      slots[name] = { ...values, version, status, count };
    }
    return { ...fields, ...common, slots };
  };
}

const long = z.custom<Long>((value) => Long.isLong(value));

/** Any double, since sums may overflow; a tool that rewrote a figure as a long has not changed its value. */
const figure = z.union([
  z.custom<number>((value) => typeof value === "number"),
  long.transform((value) => value.toNumber()),
]);
const status = z.enum(resultStatuses);

/** What documents of every job have. */
const anyJob = z.object({
  _id: z.string(),
  window: z.object({ start: z.date(), end: z.date() }),
  count: figure,
  status,
  slots: z.record(
    z.string().regex(/^p\d+$/),
    z.looseObject({ version: long.transform((value) => value.toBigInt()), status, count: figure }),
  ),
  updated_at: z.date(),
  rev: figure,
});
