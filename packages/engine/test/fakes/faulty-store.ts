import { type ErrorCode, StreamError } from "../../src/errors.ts";
import type { CheckpointStore } from "../../src/ports.ts";
import { memoryCheckpointStore } from "../conformance/memory-checkpoint-store.ts";

/** What becomes of one call. "lost answer": it happens, and nobody is told. "late": the same, once `arrive` is called. */
export type StoreFault = "none" | "refused" | "lost answer" | "late";

/** A store whose calls fail as told. */
export class FaultyStore implements CheckpointStore {
  readonly inner: CheckpointStore;
  readonly objects: Map<string, Uint8Array>;
  /** Listed, but removed by the time they are read. */
  readonly vanished = new Set<string>();
  onCreate: (name: string) => StoreFault | Promise<StoreFault> = () => "none";
  onRead: (name: string) => StoreFault = () => "none";
  onList: () => StoreFault = () => "none";
  onRemove: () => StoreFault = () => "none";
  lists = 0;
  readonly #underway: { readonly name: string; readonly bytes: Uint8Array }[] = [];

  constructor(objects: Map<string, Uint8Array>) {
    this.objects = objects;
    this.inner = memoryCheckpointStore(objects);
  }

  /** What was on its way gets there, where the name is still free. */
  async arrive(): Promise<void> {
    for (const { name, bytes } of this.#underway.splice(0)) await this.inner.create(name, bytes);
  }

  async create(name: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    const fault = await this.onCreate(name);
    if (fault === "refused") throw outage("CHECKPOINT_REFUSED");
    if (fault === "late") {
      this.#underway.push({ name, bytes: Uint8Array.from(bytes) });
      throw outage("CHECKPOINT_UNWRITABLE");
    }
    const outcome = await this.inner.create(name, bytes);
    if (fault === "lost answer") throw outage("CHECKPOINT_UNWRITABLE");
    return outcome;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    if (this.onRead(name) !== "none") throw outage("SERVER_UNAVAILABLE");
    return this.vanished.has(name) ? undefined : this.inner.read(name);
  }

  async list(folder: string): Promise<string[]> {
    this.lists++;
    if (this.onList() !== "none") throw outage("SERVER_UNAVAILABLE");
    return this.inner.list(folder);
  }

  async remove(name: string): Promise<void> {
    if (this.onRemove() !== "none") throw outage("SERVER_UNAVAILABLE");
    await this.inner.remove(name);
  }
}

function outage(code: ErrorCode): StreamError {
  return new StreamError(code, "retry", "the store does not answer");
}
