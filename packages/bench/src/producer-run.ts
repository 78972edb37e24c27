import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { adEventSchema } from "@adstream/contracts/ad-event";
import { avroCodec } from "@adstream/kafka/avro-codec";
import type { ArrivalModel } from "@adstream/traffic/arrivals";
import { startMeasured, type Usage } from "./measured-process.ts";
import { heldWindowMs, type ProducerOptions, settledMs } from "./producer-options.ts";
import { readAll } from "./read-results.ts";
import {
  addEvents,
  type Delays,
  type Deviation,
  dueEvents,
  type PerMs,
  sendingDelays,
  total,
  worstDeviation,
} from "./schedule.ts";
import type { Servers } from "./servers.ts";
import { borrowTopics, connectBench } from "./topics.ts";

export type ProducerRun = {
  readonly model: ArrivalModel;
  /** By the schedule of the seed. */
  readonly due: number;
  /** What the producer says is in the log. */
  readonly acknowledged: number;
  /** Records in the log. */
  readonly sent: number;
  /** From when the first event was due to when the last was in the log. */
  readonly seconds: number;
  readonly worst: Deviation;
  /** Of the windows that begin when the first send is over and code is compiled. */
  readonly worstSettled: Deviation;
  /** From when an event was due to the broker's time of it. */
  readonly delayMs: Delays;
  readonly producer: Usage;
};

const program = fileURLToPath(new URL("../../../packages/producer/src/main.ts", import.meta.url));
const frameBytes = 5;
/** The first record of a slow partition is in the log by then. */
const firstRecordsMs = 1_000;
const { decode } = avroCodec(adEventSchema);

/** One producer on a topic of its own; then the topic is read by somebody else, who draws the schedule again. */
export async function runProducer(
  model: ArrivalModel,
  options: ProducerOptions,
  { brokers, environment }: Servers,
): Promise<ProducerRun> {
  const { rate, durationMs, seed, ads, partitions, profile } = options;
  const topic = `producer-${model}-${randomBytes(4).toString("hex")}`;
  const kafka = connectBench(brokers);
  await using admin = {
    client: kafka.admin(),
    [Symbol.asyncDispose]: () => admin.client.disconnect(),
  };
  await admin.client.connect();
  await using _topics = await borrowTopics(kafka, { [topic]: "LogAppendTime" }, partitions);
  let acknowledged = 0;
  const child = startMeasured({
    program,
    nodeArguments: profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`],
    environment: {
      ...environment,
      JOB: "ad-stats",
      EVENTS_TOPIC: topic,
      PRODUCER_MODEL: model,
      PRODUCER_RATE: String(rate),
      PRODUCER_DURATION: `${durationMs}ms`,
      PRODUCER_MAX_BEHIND: "1h",
      PRODUCER_ADS: String(ads),
      PRODUCER_SEED: String(seed),
      HTTP_PORT: "0",
      LOG_LEVEL: "warn",
    },
    onMessage(message) {
      acknowledged = Number(Reflect.get(Object(message), "produced") ?? acknowledged);
    },
  });
  const producer = await child.usage;
  const log = new AppendTimes();
  await readAll(kafka, admin.client, topic, (value, at) => log.add(value, at));
  const due = dueEvents({ model, rate, seed }, durationMs);
  const sent = log.perMs(durationMs);
  return {
    model,
    due: total(due),
    acknowledged,
    sent: total(sent),
    seconds: sent.length / 1_000,
    worst: worstDeviation(due, sent, heldWindowMs, 0),
    worstSettled: worstDeviation(due, sent, heldWindowMs, settledMs),
    delayMs: sendingDelays(due, sent),
    producer,
  };
}

/** When the broker had each event. */
class AppendTimes {
  readonly #events = new Map<number, number>();
  #firstAt = Number.POSITIVE_INFINITY;
  /** Events say when they were due, and the first one is due at the start. */
  #startMs = Number.POSITIVE_INFINITY;

  add(value: Buffer, at: number): void {
    this.#events.set(at, (this.#events.get(at) ?? 0) + 1);
    this.#firstAt = Math.min(this.#firstAt, at);
    if (at > this.#firstAt + firstRecordsMs) return;
    const { timestamp } = Object(decode(value.subarray(frameBytes)));
    this.#startMs = Math.min(this.#startMs, Number(timestamp));
  }

  /** From the start to the last event, or for `leastMs`. */
  perMs(leastMs: number): PerMs {
    const offsets = [...this.#events].map(([at, events]): [number, number] => [
      Math.max(0, at - this.#startMs),
      events,
    ]);
    const lastMs = offsets.reduce((last, [atMs]) => Math.max(last, atMs), 0);
    const sent = new Float64Array(Math.max(leastMs, lastMs + 1));
    for (const [atMs, events] of offsets) addEvents(sent, atMs, events);
    return sent;
  }
}
