import type { ResultShape } from "@adstream/contracts/result-shape";
import type { TimeUnit } from "@adstream/kafka/event-projection";

/**
 * A job as data: what is read of an event, what is computed of it, and what a result looks like. Everything else
 * (windows, lateness, recovery) is the engine's and the environment's.
 */
export type Job = {
  readonly name: string;
  /** Field by which events are grouped: a text. */
  readonly key: string;
  readonly eventTime: {
    readonly field: string;
    /** Where the events do not say it themselves, as logical types of Avro do. */
    readonly unit: TimeUnit;
  };
  /** Field that names one delivery of an event, for DEDUPLICATE=event_id. */
  readonly eventId?: string;
  /** One for each figure of the result, of its name. */
  readonly measures: readonly Measure[];
  readonly result: ResultShape;
};

/** What is computed of the events of a key in a window; their number always is. */
export type Measure =
  | ({ readonly name: string; readonly sum: string } & Range)
  | ({ readonly name: string; readonly max: string } & Range)
  | CountMeasure;

/** Of a number in a sound event, inclusive; others are dead letters. */
type Range = { readonly from: number; readonly to: number };

/** Counts the events whose field `count` holds `equals`. An event whose field holds none of `among` is a dead letter. */
export type CountMeasure = {
  readonly name: string;
  readonly count: string;
  readonly equals: string;
  readonly among: readonly string[];
};
