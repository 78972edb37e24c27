import { decodeFrame, type DeltaBase, type Frame } from "../../src/checkpoint.ts";
import { type ErrorCode, StreamError } from "../../src/errors.ts";
import type { CheckpointStore } from "../../src/ports.ts";
import { StateImage } from "../../src/state-image.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

/** An object as it was created, with what it goes on from. */
export type Stored = {
  readonly frame: Frame;
  /** Name of the process that created it. */
  readonly by: string;
  readonly parent: Stored | undefined;
  /** What it holds, of a delta with everything before; empty: it is a claim. */
  readonly state: Uint8Array;
  rotten: boolean;
  /** Its state takes the strange schema for none: records of it are dead letters from here on. */
  strangeIsDead: boolean;
};

/** Every object ever created for one partition, by number; also those removed since. */
export type History = Map<number, Stored>;

const mostRotten = 3;

/** The object store behind all processes: atomic creates, and an honest history of them. */
export class SimulatedStore {
  readonly histories = new Map<number, History>();
  readonly #world: World;
  readonly #objects = new Map<string, Uint8Array>();
  readonly #names = new Map<string, Stored>();
  /** What else happens as a decision breaks. */
  onDecisionLost: (by: SimulatedProcess) => void = () => {};
  readonly #onCreated: (stored: Stored, history: History) => void;
  /** A disk knows what it did not write; a bucket that does not answer says nothing. */
  readonly #refusals: boolean;
  #outageUntil = 0;
  #rotted = 0;

  constructor(world: World, onCreated: (stored: Stored, history: History) => void) {
    this.#world = world;
    this.#refusals = world.plan.storeLate === 0;
    this.#onCreated = onCreated;
  }

  outage(forMs: number): void {
    this.#outageUntil = Math.max(this.#outageUntil, this.#world.nowMs + forMs);
  }

  /** The newest number of a partition. */
  top(partition: number): Stored | undefined {
    const history = this.histories.get(partition);
    return history?.get(Math.max(0, ...history.keys()));
  }

  /** Number of the newest claim of `process`; 0: none. */
  claimOf(partition: number, process: string): number {
    let newest = 0;
    for (const [seq, { frame, by }] of this.histories.get(partition) ?? []) {
      if (frame.header.kind === "claim" && by === process) newest = seq;
    }
    return newest;
  }

  hasCheckpoint(partition: number): boolean {
    return lineage(this.top(partition)).length > 0;
  }

  /**
   * Offset from which a task that falls back to one of its newest `kept` whole states reads again; 0 while there are fewer.
   * Deltas break with what they rest on.
   */
  neededFrom(partition: number, kept: number): number {
    const line = lineage(this.top(partition)).filter((stored) => deltaOf(stored) === undefined);
    const header = line.at(-kept)?.frame.header;
    return header?.kind === "checkpoint" ? header.log.nextOffset : 0;
  }

  /** Breaks the newest object of some partition for ever, unless too little would be left to go on from. */
  rot(): void {
    if (this.histories.size > 0) this.#rot(this.#world.random.pick([...this.histories])[0]);
  }

  #rot(partition: number): void {
    const { random } = this.#world;
    if (this.#rotted >= mostRotten) return;
    const names = [...this.#names].filter(([, { frame }]) => frame.header.partition === partition);
    const newest = names.at(-1);
    if (newest === undefined || !this.#isWhole(newest[1])) return;
    const struck = this.#struck(newest[1]);
    const [name] = names.findLast(([, stored]) => stored === struck) ?? newest;
    const bytes = this.#objects.get(name);
    if (bytes === undefined) return;
    const left = names.filter(
      ([, stored]) =>
        stored.frame.header.kind === "checkpoint" &&
        this.#isWhole(stored) &&
        !this.#basesOf(stored).includes(struck),
    );
    if (left.length === 0) return;
    this.#rotted++;
    struck.rotten = true;
    const broken = Uint8Array.from(bytes);
    broken[random.below(broken.length)]! ^= 1 << random.below(8);
    this.#objects.set(name, broken);
    this.#world.unclean = true;
    if (struck !== newest[1]) this.#world.saw("base rots");
    this.#world.note(`bit rot in ${name}`);
  }

  /** What the newest object rests on breaks as well as itself. */
  #struck(newest: Stored): Stored {
    const bases = this.#basesOf(newest);
    return bases.length > 1 && this.#world.random.chance(0.5)
      ? this.#world.random.pick(bases)
      : newest;
  }

  /** In the store as it was created, with all it rests on. */
  #isWhole(stored: Stored): boolean {
    return this.#basesOf(stored).every(
      ({ frame, rotten }) => !rotten && this.#objects.has(nameOf(frame)),
    );
  }

  /** Itself and what a delta is applied to. */
  #basesOf(stored: Stored): Stored[] {
    const bases = [stored];
    for (let at = deltaOf(stored); at !== undefined;) {
      const base = this.histories.get(stored.frame.header.partition)?.get(at.seq);
      if (base === undefined) break;
      bases.push(base);
      at = deltaOf(base);
    }
    return bases;
  }

  /** The store as `process` reaches it. */
  client(process: SimulatedProcess): CheckpointStore {
    const latency = { slow: this.#world.plan.storeSlow };
    return {
      create: async (name, bytes) =>
        process.request("create", () => this.#create(process, name, bytes), latency),
      read: async (name) =>
        process.request("read", () => this.#answer(() => this.#read(name)), latency),
      list: async (folder) =>
        process.request("list", () => this.#answer(() => this.#list(folder)), latency),
      remove: async (name) =>
        process.request(
          "remove",
          () => this.#answer(() => void this.#objects.delete(name)),
          latency,
        ),
    };
  }

  /** @param refused how it says no: for good, or so that the client cannot know */
  #answer<T>(give: () => T, refused: ErrorCode = "CHECKPOINT_UNWRITABLE"): T {
    const out = this.#world.faulty && this.#world.nowMs < this.#outageUntil;
    if (out) this.#world.saw("store outage");
    if (out || this.#world.strikes(this.#world.plan.storeFails)) {
      this.#world.unclean = true;
      throw new StreamError(refused, "retry", "the store does not answer");
    }
    return give();
  }

  #create(process: SimulatedProcess, name: string, bytes: Uint8Array): "created" | "exists" {
    return this.#answer(
      () => {
        const content = Uint8Array.from(bytes);
        if (this.#world.strikes(this.#world.plan.storeLate))
          this.#createLater(process, name, content);
        if (!this.#put(process, name, content)) return "exists";
        if (!this.#world.strikes(this.#world.plan.storeAmbiguous)) return "created";
        this.#world.saw("ambiguous");
        this.#world.unclean = true;
        this.#world.note(`answer to ${name} lost`);
        // Some clients retry by themselves and find their own object in the way.
        if (this.#world.random.chance(0.5)) return "exists";
        throw new StreamError("CHECKPOINT_UNWRITABLE", "retry", "the answer was lost");
      },
      this.#refusals ? "CHECKPOINT_REFUSED" : "CHECKPOINT_UNWRITABLE",
    );
  }

  #put(process: SimulatedProcess, name: string, content: Uint8Array): boolean {
    if (this.#objects.has(name)) return false;
    this.#objects.set(name, content);
    this.#record(process, name, decodeFrame(Uint8Array.from(content)));
    return true;
  }

  /** The client gives up waiting, the request does not. */
  #createLater(process: SimulatedProcess, name: string, content: Uint8Array): never {
    const world = this.#world;
    const laterMs = world.random.pick([100, 1_000, 5_000, 20_000]) * world.random.next();
    world.unclean = true;
    world.slow(laterMs);
    world.note(`no answer to ${name} for now`);
    world.after(laterMs, () => {
      if (this.#put(process, name, content)) world.saw("create lands late");
    });
    throw new StreamError("CHECKPOINT_UNWRITABLE", "retry", "not answered in time");
  }

  #record(process: SimulatedProcess, name: string, frame: Frame): void {
    const { header } = frame;
    const history: History = this.histories.get(header.partition) ?? new Map();
    this.histories.set(header.partition, history);
    const above = Math.max(0, ...history.keys()) > header.seq;
    if (history.has(header.seq) && above) {
      // The number was used and pruned while its writer was frozen; it must notice by itself.
      this.#world.note(`${process.name} creates ${name} too late`);
      return;
    }
    if (history.has(header.seq)) this.#world.violated(`${name} was created twice`);
    const before = history.get(header.seq - 1);
    if (header.seq !== 1 && before === undefined) this.#world.violated(`${name} leaves a gap`);
    // The object before a checkpoint is its writer's: a claim, which names what it goes on from, or a checkpoint.
    const parent = header.kind === "claim" ? history.get(header.base) : goesOnFrom(before, history);
    const state = this.#stateOf(name, frame, history);
    const stored = { frame, by: process.name, parent, state, rotten: false, strangeIsDead: false };
    history.set(header.seq, stored);
    this.#names.set(name, stored);
    this.#world.note(`${process.name} creates ${describe(frame)}`);
    this.#onCreated(stored, history);
    if (header.kind === "claim" || header.decisions.length === 0) return;
    if (!this.#world.strikes(this.#world.plan.decisionsRot)) return;
    this.#world.after(this.#world.random.between(0, 3_000), () => {
      if (!this.#world.faulty) return;
      this.#rot(header.partition);
      this.onDecisionLost(process);
    });
  }

  /** A delta is held against its base as it is created: nobody would notice later than at a restore. */
  #stateOf(name: string, { header, payload }: Frame, history: History): Uint8Array {
    if (header.kind === "claim" || header.delta === undefined) return payload;
    this.#world.saw("delta");
    try {
      const image = StateImage.of(history.get(header.delta.seq)?.state ?? new Uint8Array(0));
      image.apply(payload);
      return image.pack();
    } catch (error) {
      this.#world.violated(`${name} cannot be applied to ${header.delta.seq}: ${String(error)}`);
      return payload;
    }
  }

  #read(name: string): Uint8Array | undefined {
    const bytes = this.#objects.get(name);
    return bytes && Uint8Array.from(bytes);
  }

  #list(folder: string): string[] {
    const prefix = `${folder}/`;
    const names = [...this.#objects.keys()].filter((name) => name.startsWith(prefix));
    return names.map((name) => name.slice(prefix.length));
  }
}

function deltaOf({ frame: { header } }: Stored): DeltaBase | undefined {
  return header.kind === "claim" ? undefined : header.delta;
}

function nameOf({ header: { job, partition, seq } }: Frame): string {
  return `${job}/p${String(partition).padStart(4, "0")}/${String(seq).padStart(12, "0")}`;
}

function goesOnFrom(before: Stored | undefined, history: History): Stored | undefined {
  const header = before?.frame.header;
  return header?.kind === "claim" ? history.get(header.base) : before;
}

function describe({ header }: Frame): string {
  const where = `p${header.partition}/${header.seq}`;
  if (header.kind === "claim") return `${where} claim on ${header.base}`;
  const on = header.delta === undefined ? "" : ` on ${header.delta.seq}`;
  const decided = header.decisions.map(({ watermark }) => ` decides ${watermark}`).join("");
  return `${where} at ${header.log.nextOffset} epoch ${header.jobEpoch}${on}${decided}`;
}

/** The checkpoints that `stored` stands on, oldest first, itself included unless it is a claim. */
export function lineage(stored: Stored | undefined): Stored[] {
  const line: Stored[] = [];
  for (let at = stored; at !== undefined; at = at.parent) {
    if (at.frame.header.kind === "checkpoint") line.push(at);
  }
  return line.toReversed();
}
