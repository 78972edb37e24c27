import type { ResultDocument, ResultSlot } from "../../../contracts/src/documents.ts";
import type { DocumentStore } from "../../../sink/src/ports.ts";
import { StreamError } from "../../src/errors.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

type Landed = "matched" | "upserted" | "missed";

/** The document database: writes of one bulk land one by one, between those of others. */
export class SimulatedDocuments {
  readonly documents = new Map<string, ResultDocument>();
  readonly #world: World;
  #outageUntil = 0;

  constructor(world: World) {
    this.#world = world;
  }

  outage(forMs: number): void {
    this.#outageUntil = Math.max(this.#outageUntil, this.#world.nowMs + forMs);
  }

  client(process: SimulatedProcess): DocumentStore {
    return {
      find: async (ids) =>
        process.request("find", () => {
          this.#answer();
          const found = ids.flatMap((id) => this.documents.get(id) ?? []);
          return new Map(found.map((document) => [document._id, document]));
        }),
      write: async (updates, inserts) => {
        const steps = [
          ...updates.map(({ id, rev, set }) => () => {
            const present = this.documents.get(id);
            if (present?.rev !== rev) return "missed" as const;
            this.#save({ ...present, ...set });
            return "matched" as const;
          }),
          ...inserts.map((document) => () => {
            if (this.documents.has(document._id)) return "matched" as const;
            this.#save(document);
            return "upserted" as const;
          }),
        ];
        return this.#bulk(process, shuffled(this.#world, steps));
      },
    };
  }

  async #bulk(
    process: SimulatedProcess,
    steps: (() => Landed)[],
  ): Promise<{ matched: number; upserted: number }> {
    const cut = this.#world.random.below(steps.length + 1);
    const done: Landed[] = [];
    for (const part of [steps.slice(0, cut), steps.slice(cut)]) {
      if (part.length === 0) continue;
      const results = await process.request("write", () => {
        this.#answer();
        const now = part.map((step) => step());
        this.#answer();
        return now;
      });
      done.push(...results);
    }
    return {
      matched: done.filter((result) => result === "matched").length,
      upserted: done.filter((result) => result === "upserted").length,
    };
  }

  #answer(): void {
    const out = this.#world.faulty && this.#world.nowMs < this.#outageUntil;
    if (!out && !this.#world.strikes(this.#world.plan.documentFails / 2)) return;
    this.#world.saw("document outage");
    throw new StreamError("SERVER_UNAVAILABLE", "retry", "the database does not answer");
  }

  #save(after: ResultDocument): void {
    const before = this.documents.get(after._id);
    for (const [name, slot] of Object.entries<ResultSlot>(before?.slots ?? {})) {
      const now = after.slots[name];
      if (now === undefined || now.version < slot.version) {
        const text = `${after._id} ${name} falls from version ${slot.version} to ${now?.version}`;
        this.#world.violated(text);
      }
    }
    this.documents.set(after._id, frozen(after));
  }
}

/** Handed out as it is, and to be changed by nobody: cheaper than a copy for each reader. */
function frozen(document: ResultDocument): ResultDocument {
  for (const slot of Object.values(document.slots)) Object.freeze(slot);
  Object.freeze(document.slots);
  Object.freeze(document.window);
  return Object.freeze(document);
}

function shuffled<T>({ random }: World, items: T[]): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
  return items;
}
