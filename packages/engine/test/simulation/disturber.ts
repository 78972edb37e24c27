import type { SimulatedStore } from "./checkpoint-store.ts";
import type { Coordinator } from "./coordinator.ts";
import type { SimulatedDocuments } from "./documents.ts";
import { type Disturbance, disturbances } from "./faults.ts";
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
};

/** Does to the pipeline what its plan says, from outside. */
export class Disturber {
  readonly #scene: Scene;
  readonly #frozen: SimulatedProcess[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  run(untilMs: number): void {
    const { world } = this.#scene;
    const { chaosEveryMs, weights } = world.plan;
    world.after(world.random.next() * 2 * chaosEveryMs, () => {
      if (world.nowMs >= untilMs) return;
      const total = disturbances.reduce((sum, kind) => sum + weights[kind], 0);
      let at = world.random.next() * total;
      const kind = disturbances.find((candidate) => (at -= weights[candidate]) < 0);
      if (kind !== undefined) this.#disturb(kind);
      this.run(untilMs);
    });
  }

  /** Ends all faults: outages are over, and whoever sleeps wakes. */
  stop(): void {
    const { world, members } = this.#scene;
    world.faulty = false;
    world.note("faults end");
    for (const process of this.#frozen) process.wake();
    members.shareResults();
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
        return store.outage(random.between(500, 20_000));
      case "document outage":
        return documents.outage(random.between(500, 20_000));
      case "bit rot":
        return store.rot();
      case "move results":
        return members.shareResults();
    }
  }

  /** Long enough, mostly, for others to take over and to decide; sometimes the input comes back as it wakes. */
  #freeze(process: SimulatedProcess): void {
    if (process.frozen) return;
    const { world, members, producer } = this.#scene;
    const { random } = world;
    const forMs = random.pick([2_000, 12_000, 25_000, 40_000]) * (0.5 + random.next());
    process.freeze();
    this.#frozen.push(process);
    if (process.name.startsWith("s")) members.shareResults();
    if (random.chance(0.5)) producer.silence(forMs);
    world.after(forMs - random.between(0, 300), () => {
      producer.burst(random.between(1, 6));
    });
    world.after(forMs, () => {
      process.wake();
      if (process.name.startsWith("s")) members.shareResults();
    });
  }
}
