import type { AdStatsDocument } from "@adstream/contracts/documents";
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
 * Reads a document as the driver gives it with `promoteLongs: false`.
 *
 * @returns undefined when it lacks what a merge needs: it is not one of ours
 */
export function decodeDocument(document: Document): AdStatsDocument | undefined {
  return storedDocument.safeParse(document).data;
}

const long = z.custom<Long>((value) => Long.isLong(value));

/** Any double, since sums may overflow; a tool that rewrote a figure as a long has not changed its value. */
const figure = z.union([
  z.custom<number>((value) => typeof value === "number"),
  long.transform((value) => value.toNumber()),
]);
const status = z.enum(["early", "final", "corrected"]);
const totals = {
  count: figure,
  total_clicks: figure,
  total_views: figure,
  total_cost: figure,
};
const slot = z.object({ version: long.transform((value) => value.toBigInt()), status, ...totals });

const storedDocument = z.object({
  _id: z.string(),
  ad_id: z.string(),
  window: z.object({ start: z.date(), end: z.date() }),
  ...totals,
  avg_clicks: figure,
  avg_views: figure,
  avg_cost: figure,
  avg_cost_per_view: figure.nullable(),
  status,
  slots: z.record(z.string().regex(/^p\d+$/), slot),
  updated_at: z.date(),
  rev: figure,
});
