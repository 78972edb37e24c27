import { rejectCode } from "../../src/columns.ts";
import type { InputRecord, InputTopic } from "./input-log.ts";
import { epochMs, type World } from "./world.ts";

const keys = ["ad-1", "ad-2", "ad-3", "__proto__", "a.b"];
/** A schema id that the registry does not know at first, and in some runs never. */
export const strangeSchema = 7;

export type TrafficShape = {
  readonly disorderMs: number;
  readonly lateMs: number;
  readonly futureMs: number;
  readonly strangeRate: number;
  /** Share of records that repeat an earlier event. */
  readonly redelivered: number;
};

/** Appends records until `untilMs`: bursts, and silences long enough for windows to close by decision. */
export class Producer {
  readonly #world: World;
  readonly #log: InputTopic;
  readonly #shape: TrafficShape;
  readonly #untilMs: number;
  #quietUntil = 0;
  #events = 0;

  constructor(world: World, log: InputTopic, shape: TrafficShape, untilMs: number) {
    this.#world = world;
    this.#log = log;
    this.#shape = shape;
    this.#untilMs = untilMs;
  }

  run(): void {
    const { random } = this.#world;
    if (this.#world.nowMs >= this.#untilMs) return;
    if (this.#world.nowMs >= this.#quietUntil) this.burst(random.between(1, 6));
    if (random.chance(0.06)) this.silence(random.between(5_000, 45_000));
    this.#world.after(random.between(50, 1_500), () => {
      this.run();
    });
  }

  silence(forMs: number): void {
    this.#quietUntil = Math.max(this.#quietUntil, this.#world.nowMs + forMs);
  }

  burst(records: number): void {
    const { random } = this.#world;
    if (this.#world.nowMs >= this.#untilMs) return;
    const count = this.#log.partitions.length;
    const hot = random.below(count);
    for (let made = 0; made < records; made++) {
      const partition = random.chance(0.6) ? hot : random.below(count);
      this.#log.append(partition, this.#redelivery(partition) ?? this.#record());
      if (random.chance(0.05)) this.#log.append(partition, { kind: "marker" });
    }
  }

  /** An event that is in the log already, sent once more by a producer that did not hear of it. */
  #redelivery(partition: number): InputRecord | undefined {
    const { random } = this.#world;
    if (!random.chance(this.#shape.redelivered)) return undefined;
    const { entries = [] } = this.#log.partitions[partition] ?? {};
    const entry = entries[entries.length - 1 - random.below(Math.min(entries.length, 40))];
    if (entry?.kind !== "record") return undefined;
    const now = epochMs + Math.floor(this.#world.nowMs);
    return { ...entry, recordTime: entry.recordTime < 0 ? -1 : now };
  }

  #record(): InputRecord {
    const { random } = this.#world;
    const { disorderMs, lateMs, futureMs, strangeRate } = this.#shape;
    const now = epochMs + Math.floor(this.#world.nowMs);
    let eventTime = now - random.below(disorderMs);
    if (random.chance(0.15)) eventTime = now - random.below(lateMs);
    if (random.chance(0.04)) eventTime = now + random.below(2 * futureMs);
    const recordTime = random.chance(0.02) ? -1 : now - random.below(200);
    return {
      kind: "record",
      recordTime,
      eventTime: Math.min(eventTime, recordTime < 0 ? now : Number.POSITIVE_INFINITY),
      key: random.pick(keys),
      eventId: random.chance(0.05) ? "" : `event ${++this.#events}`,
      clicks: random.below(5),
      views: random.below(9),
      cost: random.below(1_000) / 100,
      rejected: random.chance(0.04) ? rejectCode("truncated or malformed Avro") : 0,
      schemaId: random.chance(strangeRate) ? strangeSchema : 1,
    };
  }
}
