/** A measure of a job as its results and documents name it. */
export type Figure = {
  readonly name: string;
  readonly type: "long" | "double";
  /** How slots make a total of it. A maximum means nothing in a slot without records. */
  readonly combine: "sum" | "max";
};

/** A figure of documents alone: one total divided by another. */
export type Ratio = {
  readonly name: string;
  readonly of: string;
  readonly per: string;
  /** Where the divisor is 0. */
  readonly otherwise: 0 | null;
};

/** What results of a job look like on the wire, and its documents in MongoDB: all that differs from job to job. */
export type ResultShape = {
  /** Name of the Avro record. */
  readonly record: string;
  readonly doc: string;
  /** Field of the grouping key. */
  readonly key: string;
  readonly figures: readonly Figure[];
  readonly ratios: readonly Ratio[];
};

/** A figure of a slot or a result, or its `count`. */
export function figureOf(
  from: { readonly [field: string]: string | number | bigint },
  name: string,
): number {
  return Number(from[name] ?? 0);
}

export const resultStatuses = ["early", "final", "corrected"] as const;

/**
 * A result on the results topic: one revision of one slot of one (key, window). The key and the figures are fields
 * beside these.
 *
 * The latest `version` of a (key, window, slot) is that slot's truth; equal versions are equal bytes. Totals combine the slots.
 */
export type Result = {
  /** Epoch ms, inclusive. */
  readonly window_start: number;
  /** Epoch ms, exclusive. */
  readonly window_end: number;
  /** Source partition. */
  readonly slot: number;
  /** jobEpoch << 48 | w (protocol 2.2). */
  readonly version: bigint;
  readonly status: (typeof resultStatuses)[number];
  readonly count: number;
  /** Epoch ms. */
  readonly max_event_time: number;
  /** Highest Kafka timestamp of the slot's records, epoch ms; -1 where none had one. */
  readonly max_record_time: number;
  readonly [field: string]: string | number | bigint;
};

const bitsBelowEpoch = 48;

/** What a version is made of: `epoch << 48 | w`; both are exact as numbers. */
export function versionParts(version: bigint): { readonly epoch: number; readonly w: number } {
  return {
    epoch: Number(version >> BigInt(bitsBelowEpoch)),
    w: Number(BigInt.asUintN(bitsBelowEpoch, version)),
  };
}

/** Avro schema of the results, for the registry. */
export function resultSchema({ record, doc, key, figures }: ResultShape): string {
  const time = { type: "long", logicalType: "timestamp-millis" };
  const fieldsOf = (combine: Figure["combine"]): object[] =>
    figures
      .filter((figure) => figure.combine === combine)
      .map(({ name, type }) => ({ name, type }));
  return JSON.stringify({
    type: "record",
    name: record,
    namespace: "adstream",
    doc,
    fields: [
      { name: key, type: "string" },
      { name: "window_start", type: time },
      { name: "window_end", type: time },
      { name: "slot", type: "int" },
      { name: "version", type: "long" },
      { name: "status", type: { type: "enum", name: "Status", symbols: resultStatuses } },
      { name: "count", type: "long" },
      ...fieldsOf("sum"),
      { name: "max_event_time", type: time },
      { name: "max_record_time", type: "long" },
      ...fieldsOf("max"),
    ],
  });
}
