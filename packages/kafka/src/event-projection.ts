import assert from "node:assert/strict";

/** Which top-level fields of an event become columns. A field has one use, but for a number that is summed and its highest kept. */
export type EventProjection = {
  /** A string, or bytes that hold UTF-8. */
  readonly key: string;
  /** An integer since the epoch, in `eventTimeUnit` unless a logical type of Avro says which. */
  readonly eventTime: string;
  /** Without it ms. Finer times are cut to whole ms, towards the past, however many digits they have. */
  readonly eventTimeUnit?: TimeUnit;
  /** A string, or bytes that hold UTF-8, that names one delivery; without it nothing is read. null and missing: no name. */
  readonly id?: string;
  /** The first columns of `RecordColumns.values`, in this order. */
  readonly numbers: readonly NumberProjection[];
  /** The columns behind them. */
  readonly categories?: readonly CategoryProjection[];
  /** The last columns. */
  readonly maxima?: readonly NumberProjection[];
  /** Fields of numbers that must have no fraction, since what is made of them has none. */
  readonly whole?: readonly string[];
};

/** How the values of a topic are written: Avro behind Confluent's frame, or plain JSON. */
export const eventFormats = ["avro", "json"] as const;
export type EventFormat = (typeof eventFormats)[number];

export type TimeUnit = "ms" | "us" | "ns";

export type NumberProjection = {
  readonly field: string;
  /** Inclusive. */
  readonly min: number;
  /** Inclusive. */
  readonly max: number;
  /** Stands in where a writer's schema lacks the field, or a JSON event; without it such a schema, or event, is unreadable. */
  readonly default?: number;
};

/** A field that holds one text of a few; whatever else it holds rejects the record. */
export type CategoryProjection = {
  readonly field: string;
  readonly allowed: readonly string[];
  /** Of those allowed, each with a column: 1 where the field holds it, else 0. */
  readonly counted: readonly string[];
};

/** How many columns of values a projection fills. */
export function valueColumns({ numbers, categories = [], maxima = [] }: EventProjection): number {
  const counted = categories.reduce((sum, category) => sum + category.counted.length, 0);
  return numbers.length + counted + maxima.length;
}

/** A measured field and the columns it fills. */
export type MeasuredField =
  | { readonly number: MeasuredNumber; readonly columns: readonly [number, number?] }
  | { readonly category: CategoryProjection; readonly firstColumn: number };

export type MeasuredNumber = NumberProjection & { readonly whole: boolean };

/** Each field once: numbers, categories, and maxima that are not summed as well. A number that is fills two columns. */
export function measuredFields({
  numbers,
  categories = [],
  maxima = [],
  whole = [],
}: EventProjection): MeasuredField[] {
  const measured = (number: NumberProjection): MeasuredNumber => ({
    ...number,
    whole: whole.includes(number.field),
  });
  const counted = categories.reduce((sum, category) => sum + category.counted.length, 0);
  const firstMaximum = numbers.length + counted;
  const summed = numbers.map((number, column): MeasuredField => {
    const maximum = maxima.findIndex(({ field }) => field === number.field);
    if (maximum < 0) return { number: measured(number), columns: [column] };
    assert.deepEqual(maxima[maximum], number, "a number in two columns has one range");
    return { number: measured(number), columns: [column, firstMaximum + maximum] };
  });
  let firstColumn = numbers.length;
  const named = categories.map((category): MeasuredField => {
    const at = firstColumn;
    firstColumn += category.counted.length;
    return { category, firstColumn: at };
  });
  const highest = maxima.flatMap((number, index): MeasuredField[] =>
    numbers.some(({ field }) => field === number.field)
      ? []
      : [{ number: measured(number), columns: [firstMaximum + index] }],
  );
  return [...summed, ...named, ...highest];
}
