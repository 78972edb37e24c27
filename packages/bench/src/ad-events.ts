import { mulberry32 } from "@adstream/traffic/random";

/** What the benchmark's events are: a function of these alone. */
export type EventOptions = {
  readonly events: number;
  readonly ads: number;
  readonly seed: number;
  /** Log time of the first event, epoch ms. */
  readonly startMs: number;
};

/** Events in the order of the log, as columns; row i of every column is the same event. Reused for the next chunk. */
export type EventChunk = {
  count: number;
  /** Number of the ad, below `EventOptions.ads`. */
  readonly ad: Int32Array;
  /** Event time, epoch ms. */
  readonly time: Float64Array;
  /** Kafka timestamp, epoch ms. */
  readonly logTime: Float64Array;
  readonly clicks: Int32Array;
  readonly views: Int32Array;
  /** Whole cents, so that sums can be exact. */
  readonly cents: Int32Array;
};

/** Event time goes on this fast. */
const eventsPerMs = 20;
/** Event times lag behind the log by up to this, uniformly; well within the processor's delay, so no event is late. */
export const disorderMs = 2_000;
export const chunkEvents = 20_000;

/** Seeded events: half of them repeat the ad of the one before. */
export function* adEvents({ events, ads, seed, startMs }: EventOptions): Generator<EventChunk> {
  const chunk = createChunk();
  const random = randomBelow(seed);
  let ad = 0;
  for (let event = 0; event < events;) {
    chunk.count = Math.min(chunkEvents, events - event);
    for (let row = 0; row < chunk.count; row++, event++) {
      if (random(2) === 0) ad = random(ads);
      chunk.ad[row] = ad;
      chunk.logTime[row] = startMs + Math.floor(event / eventsPerMs);
      drawEvent(chunk, row, random);
    }
    yield chunk;
  }
}

/** Draws the rest of an event whose ad and log time are there. */
export function drawEvent(chunk: EventChunk, row: number, random: (bound: number) => number): void {
  chunk.time[row] = (chunk.logTime[row] ?? 0) - random(disorderMs);
  chunk.clicks[row] = random(5);
  chunk.views[row] = random(50);
  chunk.cents[row] = random(1_000);
}

/** Length of the log in event time. */
export function spanMs(events: number): number {
  return Math.ceil(events / eventsPerMs);
}

export function adName(ad: number): string {
  return `ad_${String(ad).padStart(4, "0")}`;
}

export function createChunk(): EventChunk {
  return {
    count: 0,
    ad: new Int32Array(chunkEvents),
    time: new Float64Array(chunkEvents),
    logTime: new Float64Array(chunkEvents),
    clicks: new Int32Array(chunkEvents),
    views: new Int32Array(chunkEvents),
    cents: new Int32Array(chunkEvents),
  };
}

/** Seeded whole numbers below a bound. */
export function randomBelow(seed: number): (bound: number) => number {
  const { random } = mulberry32(seed);
  return (bound) => Math.floor(random() * bound);
}
