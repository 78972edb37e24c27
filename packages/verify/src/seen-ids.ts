import type { Event } from "./event.ts";

/** Event ids of one partition with the event time they were seen at first, in a plain map. */
export class SeenIds {
  readonly #horizonMs: number;
  readonly #times = new Map<string, number>();
  #sweptTo = -Infinity;

  constructor(horizonMs: number) {
    this.#horizonMs = horizonMs;
  }

  /** Whether the id was seen within the horizon; notes it otherwise. */
  repeats({ eventId, time }: Event, watermark: number): boolean {
    if (eventId === undefined) return false;
    const forgotten = watermark - this.#horizonMs;
    const seenAt = this.#times.get(eventId);
    if (seenAt !== undefined && seenAt >= forgotten) return true;
    this.#times.set(eventId, time);
    this.#sweep(forgotten);
    return false;
  }

  /** Every horizon once: what is forgotten must not stay in memory. */
  #sweep(forgotten: number): void {
    if (forgotten < this.#sweptTo + this.#horizonMs) return;
    this.#sweptTo = forgotten;
    for (const [id, time] of this.#times) if (time < forgotten) this.#times.delete(id);
  }
}
