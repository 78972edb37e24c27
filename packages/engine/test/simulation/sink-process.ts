import type { AdStats } from "../../../contracts/src/ad-stats.ts";
import { createResultApplier, type ResultApplier } from "../../../sink/src/apply-results.ts";
import { resultDocumentId } from "../../../sink/src/merge.ts";
import { consumeResults, type ConsumerOptions } from "../../../sink/src/consume-results.ts";
import type { DocumentStore } from "../../../sink/src/ports.ts";
import { decodedRows } from "../../../sink/src/result-rows.ts";
import { StreamError } from "../../src/errors.ts";
import type { Coordinator } from "./coordinator.ts";
import { GroupMember } from "./group-member.ts";
import { SimulatedProcess } from "./process.ts";
import { type BatchBounds, batchAt } from "./record-batches.ts";
import type { Topic } from "./topic.ts";
import { epochMs, type World } from "./world.ts";

type BatchSource = ConsumerOptions["source"];
type BatchHandler = Parameters<BatchSource["run"]>[0];
type BatchHeader = Parameters<BatchHandler["batch"]>[2];

/** The results topic and the group that reads it. */
export type ResultsGroup = { readonly topic: Topic<AdStats>; readonly coordinator: Coordinator };

/** What the simulated sink needs of an applier. */
type SimulatedApplier = Pick<ResultApplier, "apply" | "forget">;

export type MakeApplier = (
  store: DocumentStore,
  process: SimulatedProcess,
  away: (away: boolean) => void,
) => SimulatedApplier;

/** The applier of the sink itself. */
export const realApplier: MakeApplier = (store, process, away) => {
  const applier = createResultApplier({
    store,
    clock: process.clock,
    random: () => process.world.random.next(),
    observer: {
      outage() {
        away(true);
      },
      race() {
        away(false);
        process.world.saw("document race");
      },
    },
    cacheDocuments: process.world.random.pick([2, 10, 1_000]),
  });
  return {
    forget() {
      applier.forget();
    },
    async apply(rows, signal) {
      const outcome = await applier.apply(rows, signal);
      away(false);
      return outcome;
    },
  };
};

/** A sink process: its own consumer and applier between a simulated group and a simulated database. */
export class SinkProcess {
  readonly process: SimulatedProcess;
  readonly #group: ResultsGroup;
  readonly #stopping = new AbortController();

  constructor(
    world: World,
    name: string,
    group: ResultsGroup,
    applier: (process: SimulatedProcess, away: (away: boolean) => void) => SimulatedApplier,
    onKill: () => void,
  ) {
    this.process = new SimulatedProcess(world, name, onKill);
    this.#group = group;
    let storeAway = false;
    const made = applier(this.process, (away) => {
      storeAway = away;
    });
    void this.#run(made, () => storeAway);
  }

  async #run(applier: SimulatedApplier, storeAway: () => boolean): Promise<void> {
    const { process } = this;
    const { world } = process;
    const options: ConsumerOptions = {
      topic: "results",
      source: simulatedBatches(process, this.#group),
      read: async (partition, bytes, fromOffset) => {
        const results = await this.#read(partition, bytes, fromOffset);
        return { rows: decodedRows(results, [], "ad_id"), refused: [] };
      },
      applier: { ...applier, documentId: (result) => resultDocumentId(result) },
      async deadLetters() {},
      clock: process.clock,
      random: () => world.random.next(),
      storeAway,
      observer: {
        applied(_outcome, arrivals) {
          if (arrivals.some(({ superseded }) => superseded > 0)) world.saw("result superseded");
        },
        refused() {},
        assigned() {},
        started() {},
        waiting() {},
      },
    };
    try {
      await consumeResults(options, this.#stopping.signal);
    } catch (error) {
      if (process.alive) world.violated(`sink ${process.name} stops: ${String(error)}`);
    }
  }

  async #read(partition: number, bytes: Uint8Array, fromOffset: number): Promise<AdStats[]> {
    const { world } = this.process;
    if (world.strikes(world.plan.describeFails)) {
      throw new StreamError("SERVER_UNAVAILABLE", "retry", "the registry does not answer");
    }
    const [from = 0, to = 0] = new Float64Array(bytes.buffer);
    const { entries = [] } = this.#group.topic.partitions[partition] ?? {};
    return entries.slice(Math.max(from, fromOffset), to);
  }
}

/** Record batches of the results topic: their bytes name the offsets they hold. */
function simulatedBatches(process: SimulatedProcess, group: ResultsGroup): BatchSource {
  let member: GroupMember | undefined;
  const joined = (): GroupMember => {
    if (member === undefined) throw new RangeError("the source does not run yet");
    return member;
  };
  return {
    run: async (handler, signal) => {
      const batch = (partition: number, offset: number): BatchBounds =>
        batchAt(group.topic.partitions[partition]?.entries ?? [], offset, process.world.random);
      const failed = Promise.withResolvers<never>();
      member = new GroupMember(
        process,
        group.topic,
        group.coordinator,
        {
          assigned: (partitions) => {
            handler.assigned(partitions);
          },
          deliver: async (partition, { from }) =>
            deliver(process.world, handler, partition, { from, ...batch(partition, from) }),
          batchEnd: (partition, from) => batch(partition, from).end,
          atLogEnd: (partition, nextOffset) => {
            handler.atLogEnd(partition, nextOffset);
          },
          beforeRejoin: async (budgetMs) => handler.beforeRejoin(budgetMs),
        },
        failed.reject,
      );
      signal.addEventListener("abort", () => {
        failed.reject(signal.reason);
      });
      member.run();
      await failed.promise;
    },
    describe: async (partition) => joined().describe(partition),
    start: (partition, offset) => {
      joined().start(partition, offset);
    },
    pause: (partition) => {
      joined().pause(partition);
    },
    resume: (partition) => {
      joined().resume(partition);
    },
    commit: async (positions) => joined().commit(positions),
  };
}

/** @returns the position after it */
async function deliver(
  world: World,
  handler: BatchHandler,
  partition: number,
  { from, baseOffset, end }: BatchBounds & { readonly from: number },
): Promise<number> {
  const bytes = new Uint8Array(Float64Array.of(baseOffset, end).buffer);
  const taken = await handler.batch(partition, bytes, headerOf({ baseOffset, end }, world), from);
  return taken === "done" ? end : from;
}

function headerOf({ baseOffset, end }: BatchBounds, { nowMs }: World): BatchHeader {
  return {
    baseOffset,
    sizeBytes: 0,
    crc: 0,
    codec: "none",
    timestampType: "CreateTime",
    transactional: false,
    control: false,
    lastOffsetDelta: end - 1 - baseOffset,
    baseTimestamp: epochMs + nowMs,
    maxTimestamp: epochMs + nowMs,
    producerId: -1,
    recordCount: end - baseOffset,
  };
}
