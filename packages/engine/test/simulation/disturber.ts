import type { SimulatedStore } from "./checkpoint-store.ts";
import type { Coordinator } from "./coordinator.ts";
import type { SimulatedDocuments } from "./documents.ts";
import { type Disturbance, disturbances } from "./faults.ts";
import type { InputTopic } from "./input-log.ts";
import type { Members } from "./members.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Producer } from "./producer.ts";
import type { World } from "./world.ts";

type Scene = {
  readonly world: World;
  readonly members: Members;
  readonly coordinator: Coordinator;
  readonly store: SimulatedStore;
  readonly documents: SimulatedDocuments;
  readonly producer: Producer;
  readonly input: InputTopic;
};

/** Partitions that may be added in one run. */
const mostPartitions = 4;
/** Retention that keeps up with processing leaves what this many checkpoints may need. */
const safeCheckpoints = 4;

/** Does to the pipeline what its plan says, from outside. */
export class Disturber {
  readonly #scene: Scene;
  readonly #frozen: SimulatedProcess[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    // Its taker dies, and the records come that it kept out: now they are counted again, or in time.
    scene.store.onDecisionLost = (by) => {
      by.kill("its decision is lost");
      scene.producer.burst(12);
    };
  }

  run(untilMs: number): void {
    const { world } = this.#scene;
    const { chaosEveryMs, weights } = world.plan;
    world.after(world.random.next() * 2 * chaosEveryMs, () => {
      if (world.nowMs >= untilMs) return;
      const total = disturbances.reduce((sum, kind) => sum + weights[kind], 0);
      let at = world.random.next() * total;
      const kind = disturbances.find((candidate) => (at -= weights[candidate]) < 0);
      if (kind !== undefined && world.fault()) this.#disturb(kind);
      this.run(untilMs);
    });
  }

  /** Ends all faults: outages are over, and whoever sleeps wakes. */
  stop(): void {
    const { world } = this.#scene;
    world.faulty = false;
    world.note("faults end");
    for (const process of this.#frozen) process.wake();
  }

  #disturb(kind: Disturbance): void {
    const { world, members, coordinator, store, documents } = this.#scene;
    const { random } = world;
    const processor = random.chance(0.9) ? members.processors.at(random.below(9) % 3) : undefined;
    const sink = members.sinks.at(-1);
    switch (kind) {
      case "kill processor":
        return processor?.process.kill("SIGKILL");
      case "kill sink":
        return sink?.process.kill("SIGKILL");
      case "freeze processor":
        return processor && this.#freeze(processor.process);
      case "freeze sink":
        return sink && this.#freeze(sink.process);
      case "rebalance":
        return coordinator.rebalance("storm");
      case "stop processor": {
        if (processor === undefined) return undefined;
        void processor.stop(() => {
          members.restartLater(processor);
        });
        return undefined;
      }
      case "store outage":
        return store.outage(random.pick([2_000, 20_000, 60_000]) * random.next());
      case "document outage":
        return documents.outage(random.between(500, 20_000));
      case "bit rot":
        return store.rot();
      case "move results":
        return members.group.coordinator.rebalance("storm");
      case "retention":
        return this.#expire(safeCheckpoints);
      case "retention overtakes":
        return this.#expire(0);
      case "grow topic":
        return this.#grow();
      case "recreate topic":
        return this.#recreate(this.#scene.input.clusterId);
      case "other cluster":
        return this.#recreate("another");
    }
  }

  /** Removes the oldest records; with `kept` checkpoints only what none of the newest ones can need. */
  #expire(kept: number): void {
    const { world, store, input } = this.#scene;
    const partition = world.random.below(input.partitions.length);
    const log = input.partitions[partition];
    const safe = kept === 0 ? input.high(partition) : store.neededFrom(partition, kept);
    // A task that has no checkpoint yet begins at what is left, like any new group.
    if (log === undefined || safe <= log.low || !store.hasCheckpoint(partition)) return;
    log.low = world.random.between(log.low + 1, safe);
    world.excused.add("OFFSET_GAP");
    world.excused.add("RECORDS_EXPIRED");
    world.saw("records expire");
    world.note(`records of p${partition} expire up to ${log.low}`);
  }

  #grow(): void {
    const { world, coordinator, input } = this.#scene;
    if (input.partitions.length >= mostPartitions) return;
    input.grow();
    world.saw("topic grows");
    coordinator.rebalance("a partition was added");
  }

  #recreate(clusterId: string): void {
    const { world, input, store } = this.#scene;
    // Only a checkpoint with a canary can tell: before the first one, what was published and never made durable stays.
    const told = [...input.partitions.keys()].every(
      (partition) => store.neededFrom(partition, safeCheckpoints) > 0,
    );
    if (!told) return;
    world.excused.add("OFFSET_GAP");
    world.excused.add("LOG_REPLACED");
    world.note(`topic made again in cluster ${clusterId}`);
    input.recreate(world.random.between(500, 5_000), clusterId);
  }

  /** Long enough, mostly, for others to take over and to decide; sometimes the input comes back as it wakes. */
  #freeze(process: SimulatedProcess): void {
    if (process.frozen) return;
    const { world, producer } = this.#scene;
    const { random } = world;
    const forMs = random.pick([2_000, 12_000, 25_000, 40_000]) * (0.5 + random.next());
    process.freeze();
    this.#frozen.push(process);
    if (random.chance(0.5)) producer.silence(forMs);
    world.after(forMs - random.between(0, 300), () => {
      producer.burst(random.between(1, 6));
    });
    world.after(forMs, () => {
      process.wake();
    });
  }
}
