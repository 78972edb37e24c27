import { chunkEvents, createChunk, drawEvent, type EventChunk, randomBelow } from "./ad-events.ts";
import { arrivalGaps, type ArrivalModel, type Gaps } from "@adstream/traffic/arrivals";

/** A load: its events are a function of these alone. */
export type Load = {
  readonly model: ArrivalModel;
  /** Events per second, of all producers together. */
  readonly rate: number;
  readonly producers: number;
  readonly ads: number;
  readonly seed: number;
  /** When the first events are due, epoch ms. */
  readonly startMs: number;
  readonly durationMs: number;
};

export type PacedEvents = {
  /**
   * Events that are due at `nowMs` or before, in the order in which they are due, at most a chunk of them; `logTime` is
   * when each is due, whenever it is sent. The chunk is used again by the next call.
   */
  take(nowMs: number): EventChunk;
  /** When the next event is due; Infinity behind the last one. */
  nextMs(): number;
};

/** Below 2^32, and what the random numbers have in common with 1: any odd constant tells seeds apart. */
const seedStep = 0x9e3779b1;
const randomUnits = 2 ** 30;

/** Half of the events repeat the ad of the one before; event times lag behind by up to 2 s, uniformly. */
export function pacedEvents(load: Load): PacedEvents {
  const { ads, seed, startMs, durationMs } = load;
  const dues = Array.from({ length: load.producers }, (_, at) => producer(load, at));
  const random = randomBelow(seed);
  const chunk = createChunk();
  const endMs = startMs + durationMs;
  let ad = 0;
  const earliest = (): Due => dues.reduce((a, b) => (b.atMs < a.atMs ? b : a));
  return {
    take(nowMs) {
      chunk.count = 0;
      const untilMs = Math.min(nowMs, endMs);
      while (chunk.count < chunkEvents) {
        const due = earliest();
        if (due.atMs > untilMs || due.atMs >= endMs) break;
        const row = chunk.count++;
        const logTime = Math.floor(due.atMs);
        due.atMs += due.gaps();
        if (random(2) === 0) ad = random(ads);
        chunk.ad[row] = ad;
        chunk.logTime[row] = logTime;
        drawEvent(chunk, row, random);
      }
      return chunk;
    },
    nextMs() {
      const { atMs } = earliest();
      return atMs < endMs ? atMs : Number.POSITIVE_INFINITY;
    },
  };
}

type Due = { atMs: number; readonly gaps: Gaps };

function producer({ model, rate, producers, seed, startMs }: Load, at: number): Due {
  const below = randomBelow(seed + (at + 1) * seedStep);
  const gaps = arrivalGaps(model, rate / producers, () => below(randomUnits) / randomUnits);
  return { gaps, atMs: startMs + gaps() };
}
