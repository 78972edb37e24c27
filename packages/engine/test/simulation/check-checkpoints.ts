import { Task } from "../../src/task.ts";
import { type History, lineage, type Stored } from "./checkpoint-store.ts";
import type { SimulatedResults } from "./result-log.ts";
import type { Settings } from "./settings.ts";
import type { World } from "./world.ts";

/** Watches every object as it is created: what must hold at that very moment. */
export class CheckpointWatch {
  readonly #world: World;
  readonly #settings: Settings;
  readonly #results: SimulatedResults;
  /** (partition, offset, decisions so far) -> state: the same prefix must give the same bytes, whoever computes them. */
  readonly #states = new Map<string, Uint8Array>();

  constructor(world: World, settings: Settings, results: SimulatedResults) {
    this.#world = world;
    this.#settings = settings;
    this.#results = results;
  }

  created(stored: Stored, history: History): void {
    const { header } = stored.frame;
    if (header.kind === "claim") {
      this.#claimed(stored, history, header.base);
      return;
    }
    const state = Buffer.from(stored.frame.payload);
    const { partition, seq } = header;
    for (const open of this.#results.open) {
      if (open.process.name !== stored.by || open.partition !== partition) continue;
      if (open.taskSeq !== takenBy(history, seq)) continue;
      this.#world.violated(`${stored.by} writes p${partition}/${seq} before its results are out`);
    }
    const { nextOffset } = header.log;
    const before = lineage(stored.parent).flatMap((at) => decisionsOf(at));
    const { unknownSchemas, counts } = Task.restore(
      this.#settings.job.windowed,
      partition,
      header.stateBytes === state.length ? stored.frame.payload : state,
    );
    if (unknownSchemas.size > 0) this.#world.saw("schema decision");
    // The watermark tells a decision that is applied from one whose first attempt got through unnoticed.
    const prefix = `${partition} ${nextOffset} ${header.watermark} ${before.join(" ")}`;
    const key = `${prefix} ${[...unknownSchemas].join(" ")}`;
    const known = this.#states.get(key);
    if (known !== undefined && !state.equals(known)) {
      this.#world.violated(`${stored.by} has another state in p${partition}/${seq} (${key})`);
    }
    this.#states.set(key, state);
    if (counts.late + counts.dead > counts.in) {
      this.#world.violated(`p${partition}/${seq} counts ${JSON.stringify(counts)}`);
    }
  }

  #claimed(stored: Stored, history: History, base: number): void {
    const newest = [...history.values()].findLast(({ frame }) => frame.header.kind === "checkpoint")
      ?.frame.header.seq;
    if (newest !== undefined && base < newest) this.#world.saw("fallback");
    const from = history.get(base);
    if (from === undefined || from.by === stored.by) return;
    if (decisionsOf(from).length > 0) this.#world.saw("decision taken over");
  }
}

/** The claim under which number `seq` was written. */
export function takenBy(history: History, seq: number): number {
  for (let at = seq - 1; at > 0; at--) {
    if (history.get(at)?.frame.header.kind === "claim") return at;
  }
  return 0;
}

function decisionsOf({ frame }: Stored): string[] {
  if (frame.header.kind === "claim") return [];
  return frame.header.decisions.map(({ offset, watermark }) => `${offset}:${watermark}`);
}
