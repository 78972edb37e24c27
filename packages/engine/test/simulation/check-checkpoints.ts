import { Task } from "../../src/task.ts";
import { type History, lineage, type Stored } from "./checkpoint-store.ts";
import type { InputTopic } from "./input-log.ts";
import { gapsOf, headersOf, lineDecisions, prefixTruth } from "./prefix-truth.ts";
import { type SimulatedResults, slotKey } from "./result-log.ts";
import type { Settings } from "./settings.ts";
import type { World } from "./world.ts";

/** Recomputing the log for every checkpoint would take half of the time. */
const coveredEvery = 3;

/** Watches every object as it is created: what must hold at that very moment. */
export class CheckpointWatch {
  readonly #world: World;
  readonly #settings: Settings;
  readonly #input: InputTopic;
  readonly #results: SimulatedResults;
  /** (partition, offset, decisions so far) -> state: the same prefix must give the same bytes, whoever computes them. */
  readonly #states = new Map<string, Uint8Array>();

  constructor(world: World, settings: Settings, input: InputTopic, results: SimulatedResults) {
    this.#input = input;
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
    const state = Buffer.from(stored.state);
    const { partition, seq } = header;
    for (const open of this.#results.open) {
      if (open.process.name !== stored.by || open.partition !== partition) continue;
      if (open.taskSeq !== takenBy(history, seq)) continue;
      // What comes after the snapshot may be published while that is on its way to the store.
      if (open.heldFrom > header.log.nextOffset) continue;
      this.#world.violated(`${stored.by} writes p${partition}/${seq} before its results are out`);
    }
    const { nextOffset } = header.log;
    const before = lineage(stored.parent).flatMap((at) => decisionsOf(at));
    const { job } = this.#settings;
    const { unknownSchemas, counts } = Task.restore(job.windowed, partition, state);
    stored.strangeIsDead = unknownSchemas.size > 0;
    if (stored.strangeIsDead) this.#world.saw("schema decision");
    if (seq % coveredEvery === 0) this.#covered(stored, nextOffset, header.decisions.length);
    // The watermark tells a decision that is applied from one whose first attempt got through unnoticed.
    const line = headersOf(lineage(stored));
    const cut = line.find(({ codeVersion }) => codeVersion === 2)?.log.nextOffset;
    const turns = `${cut} ${JSON.stringify(gapsOf(line))}`;
    const prefix = `${partition} ${turns} ${nextOffset} ${header.watermark} ${before.join(" ")}`;
    const key = `${prefix} ${[...unknownSchemas].join(" ")}`;
    const known = this.#states.get(key);
    if (known !== undefined && !state.equals(known)) {
      this.#world.violated(`${stored.by} has another state in p${partition}/${seq} (${key})`);
    }
    this.#states.set(key, state);
    if (counts.late + counts.dead + counts.duplicates > counts.in) {
      this.#world.violated(`p${partition}/${seq} counts ${JSON.stringify(counts)}`);
    }
  }

  /** What a restart from this checkpoint takes for said must be in the results topic. */
  #covered(stored: Stored, nextOffset: number, own: number): void {
    const { partition, seq } = stored.frame.header;
    // A topic that was made again no longer has what this was made from.
    if (this.#world.excused.has("LOG_REPLACED")) return;
    const { entries = [] } = this.#input.partitions[partition] ?? {};
    const line = lineage(stored);
    // Its own decisions are applied when it is durable, and published after that.
    const applied = lineDecisions(headersOf(line)).slice(0, -own || undefined);
    const { slots } = prefixTruth(this.#settings, entries.slice(0, nextOffset), line, applied);
    for (const want of slots.values()) {
      if (this.#settings.beats.onlyFinal && want.status === "early") continue;
      const key = slotKey({ ...want, slot: partition });
      const version = this.#results.newest.get(key)?.version ?? 0n;
      if (Number(BigInt.asUintN(48, version)) >= want.version) continue;
      this.#world.violated(`p${partition}/${seq} does not cover ${key}: its newest is ${version}`);
    }
  }

  #claimed(stored: Stored, history: History, base: number): void {
    const newest = [...history.values()].findLast(({ frame }) => frame.header.kind === "checkpoint")
      ?.frame.header.seq;
    if (newest !== undefined && base < newest) this.#world.saw("fallback");
    const from = history.get(base);
    if (from === undefined || from.by === stored.by) return;
    const { header } = from.frame;
    if (header.kind === "checkpoint" && header.delta !== undefined)
      this.#world.saw("delta taken over");
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
