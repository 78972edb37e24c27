import type { Event } from "../event.ts";
import type { Fields } from "../fields.ts";

/**
 * A job as its documents are audited. It says a second time, in other words and by other code, what the processor's
 * definition of the job says: whoever changes one and not the other is told by the next audit.
 */
export type CountedJob = {
  /** Field of documents that holds what events are grouped by. */
  readonly key: string;
  /** Field that names one delivery of an event. */
  readonly eventId?: string;
  /** What one event counts; undefined where a value is not as it must be. */
  readonly read: (fields: Fields) => Event | undefined;
  /** How the figures of events become those of a slot, and slots a document. */
  readonly figures: Readonly<Record<string, "sum" | "max">>;
  /** Figures of documents alone, of at least one event. */
  readonly ratios: (totals: Totals) => Readonly<Record<string, number | null>>;
};

/** `count` and the figures. */
export type Totals = { readonly count: number } & Readonly<Record<string, number>>;
