import assert from "node:assert/strict";

import type {
  CategoryProjection,
  EventProjection,
  NumberProjection,
} from "@adstream/kafka/event-projection";
import type { CountMeasure, Job, Measure } from "./job.ts";

/** Where the measures of a job are: sums and counts first, maxima after, as the engine wants them. */
export type JobColumns = {
  readonly projection: EventProjection;
  /** Names of the sums, numbers and counts alike, and of the maxima, in the order of their columns. */
  readonly sums: readonly string[];
  readonly maxima: readonly string[];
};

/** @throws {AssertionError} unless measures and figures of the result belong together */
export function jobColumns({ key, eventTime, measures, result }: Job): JobColumns {
  const long = new Set(result.figures.filter(({ type }) => type === "long").map(nameOf));
  const whole = measures.flatMap((measure) =>
    "count" in measure || !long.has(measure.name)
      ? []
      : "sum" in measure
        ? measure.sum
        : measure.max,
  );
  const numbers = measures.filter((measure) => "sum" in measure);
  const counts = measures.filter((measure) => "count" in measure);
  const maxima = measures.filter((measure) => "max" in measure);
  const categories = categoriesOf(counts);
  const inOrder = categories.flatMap(({ field, counted }) =>
    counted.map((text) => counts.find(({ count, equals }) => count === field && equals === text)),
  );
  const columns: JobColumns = {
    projection: {
      key,
      eventTime: eventTime.field,
      // What says nothing is left out: digests of older checkpoints were made without it.
      ...(eventTime.unit !== "ms" && { eventTimeUnit: eventTime.unit }),
      numbers: numbers.map((measure) => numberOf(measure.sum, measure)),
      ...(categories.length > 0 && { categories }),
      ...(maxima.length > 0 && { maxima: maxima.map((measure) => numberOf(measure.max, measure)) }),
      ...(whole.length > 0 && { whole }),
    },
    sums: [...numbers.map(nameOf), ...inOrder.flatMap((measure) => measure?.name ?? [])],
    maxima: maxima.map(nameOf),
  };
  for (const combine of ["sum", "max"] as const) {
    const due = result.figures.filter((figure) => figure.combine === combine).map(nameOf);
    const computed = combine === "sum" ? columns.sums : columns.maxima;
    const text = `figures of ${result.record} that are a ${combine} of measures`;
    assert.deepEqual(computed.toSorted(), due.toSorted(), text);
  }
  return columns;
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

function numberOf(
  field: string,
  { from: min, to: max }: Measure & { from: number; to: number },
): NumberProjection {
  return { field, min, max };
}

function categoriesOf(counts: readonly CountMeasure[]): CategoryProjection[] {
  const byField = Map.groupBy(counts, ({ count }) => count);
  return [...byField].map(([field, measures]) => {
    const [first] = measures;
    const allowed = first?.among ?? [];
    for (const { name, equals, among } of measures) {
      assert.deepEqual(among, allowed, `what ${field} may hold, as ${name} has it`);
      assert(allowed.includes(equals), `${name} counts what ${field} may hold`);
    }
    return { field, allowed, counted: [...new Set(measures.map(({ equals }) => equals))] };
  });
}
