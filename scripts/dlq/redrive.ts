import type { KafkaConnection } from "@adstream/kafka/connection";
import { recordBytes } from "@adstream/kafka/outgoing-records";
import type { Publisher } from "@adstream/kafka/publisher";
import { topicSpans } from "@adstream/verify/raw-topic";
import { isSelected, type Letter, letterOf, type Selection } from "./letters.ts";
import type { RedriveLedger } from "./redrive-ledger.ts";
import { decide, type Decision, redrivenRecord } from "./redrive-plan.ts";

export type RedriveOptions = {
  readonly kafka: KafkaConnection;
  readonly publisher: Publisher;
  readonly topics: Readonly<Record<"events" | "deadLetters", string>>;
  readonly selection: Selection;
  /** Of letters that are sent. */
  readonly limit: number;
  readonly ledger: RedriveLedger;
  /** Epoch ms: the ledger is read from here. */
  readonly sinceMs: number;
  /** Told of each letter when its record is acknowledged. */
  readonly onSent: (letter: Letter) => void;
};

export type Redriven = {
  readonly sent: number;
  readonly left: ReadonlyMap<Decision, number>;
  /** Partitions of letters that another redrive holds. */
  readonly elsewhere: number;
};

/** Longer than the publisher's deadline: who may send is still a member when the send ends. */
const sessionTimeoutMs = 30_000;
/** Of one send. A publisher that missed it is not used again. */
export const sendDeadlineMs = 15_000;
const heartbeatEveryMs = 1_000;

/**
 * Sends letters to the events topic again, each once, however often and by however many this is called at a time.
 *
 * Delivery guarantee: a letter is sent only by the member of the group that owns its partition, after it read the events
 * topic to its end since it got that partition. The broker gives a partition to another member when this one's batch is
 * over and all its sends are answered, or when it was silent for 30 s; a send takes 15 s at most. Only a process that is
 * frozen for longer between the check and the socket could send a letter a second time, and `pnpm verify` would say so.
 */
export async function redrive(options: RedriveOptions): Promise<Redriven> {
  const { kafka, topics } = options;
  const spans = await topicSpans(kafka, topics.deadLetters);
  const filled = new Map([...spans].filter(([, { from, to }]) => from < to));
  const run = new RedriveRun(options, filled);
  await using opened = new AsyncDisposableStack();
  const consumer = opened.adopt(
    kafka.consumer({
      groupId: `${topics.deadLetters}.redrive`,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: 60_000,
      heartbeatInterval: heartbeatEveryMs,
      maxWaitTimeInMs: 100,
      retry: { restartOnFailure: async () => false },
    }),
    (client) => client.disconnect(),
  );
  consumer.on("consumer.group_join", ({ payload }) => {
    run.joined(payload.memberAssignment[topics.deadLetters] ?? []);
  });
  consumer.on("consumer.crash", ({ payload }) => run.fail(payload.error));
  await consumer.connect();
  await consumer.subscribe({ topic: topics.deadLetters, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    async eachBatch(payload) {
      const { batch } = payload;
      const letters = batch.messages.map(letterOf).filter((letter) => letter !== undefined);
      await run.batch(letters, () => payload.heartbeat());
      run.read(batch.partition, Number(batch.lastOffset()) + 1);
    },
  });
  return await run.done;
}

class RedriveRun {
  readonly #options: RedriveOptions;
  readonly #ends: Map<number, number>;
  #sent = 0;
  #failed = false;
  readonly #judged = new Set<string>();
  readonly #left = new Map<Decision, number>();
  readonly #done = Promise.withResolvers<Redriven>();
  #unread = new Set<number>();
  #elsewhere = 0;
  /** The ledger was read since the partitions were given to us. */
  #caughtUp = false;

  constructor(options: RedriveOptions, ends: ReadonlyMap<number, { readonly to: number }>) {
    this.#options = options;
    this.#ends = new Map([...ends].map(([partition, { to }]) => [partition, to]));
  }

  get done(): Promise<Redriven> {
    return this.#done.promise;
  }

  /** Whether the record of a failed send is in the log shows at the next call. */
  fail(error: unknown): void {
    this.#failed = true;
    this.#done.reject(error);
  }

  /** Others may have sent meanwhile: the ledger has to be read before anything is. */
  joined(partitions: readonly number[]): void {
    this.#caughtUp = false;
    this.#unread = new Set(partitions.filter((partition) => this.#ends.has(partition)));
    this.#elsewhere = this.#ends.size - this.#unread.size;
    if (this.#unread.size === 0) this.#finish();
  }

  read(partition: number, next: number): void {
    if (next >= (this.#ends.get(partition) ?? 0)) this.#unread.delete(partition);
    if (this.#unread.size === 0 || this.#sent >= this.#options.limit) this.#finish();
  }

  async batch(letters: readonly Letter[], heartbeat: () => Promise<void>): Promise<void> {
    const { selection, limit } = this.#options;
    for (const letter of letters) {
      if (this.#failed || this.#sent >= limit) return;
      if (!isSelected(letter, selection) || this.#judged.has(letter.id)) continue;
      if (!this.#caughtUp) await this.#catchUp(heartbeat);
      await heartbeat(); // Throws when the group is given out anew: then nothing more is sent.
      await this.#settle(letter);
    }
  }

  async #settle(letter: Letter): Promise<void> {
    const { ledger, publisher, topics } = this.#options;
    const record = redrivenRecord(letter, ledger, topics.events, Date.now());
    const fits = recordBytes(record) <= publisher.maxRecordBytes;
    const wanted = decide(letter, ledger, topics.events);
    const decision = wanted === "send" && !fits ? "too large" : wanted;
    if (decision === "send") {
      try {
        await publisher.publish([record]);
      } catch (error) {
        this.fail(error);
        throw error;
      }
      this.#sent += 1;
      this.#options.onSent(letter);
    } else this.#left.set(decision, (this.#left.get(decision) ?? 0) + 1);
    this.#judged.add(letter.id);
  }

  async #catchUp(heartbeat: () => Promise<void>): Promise<void> {
    const { ledger, kafka, sinceMs } = this.#options;
    // What goes wrong with a heartbeat here shows again at the next one.
    const beat = setInterval(() => void heartbeat().catch(() => {}), heartbeatEveryMs);
    try {
      this.#caughtUp = true; // A join while reading sets it back.
      await ledger.catchUp(kafka, sinceMs);
    } finally {
      clearInterval(beat);
    }
  }

  #finish(): void {
    this.#done.resolve({ sent: this.#sent, left: this.#left, elsewhere: this.#elsewhere });
  }
}
