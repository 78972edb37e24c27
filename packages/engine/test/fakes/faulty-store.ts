import { StreamError } from "../../src/errors.ts";
import type { CheckpointStore } from "../../src/ports.ts";
import { memoryCheckpointStore } from "../conformance/memory-checkpoint-store.ts";

/** What becomes of one call. "lost answer": it happens, and nobody is told. */
export type StoreFault = "none" | "refused" | "lost answer";

/** A store whose calls fail as told. */
export class FaultyStore implements CheckpointStore {
  readonly inner: CheckpointStore;
  onCreate: (name: string) => StoreFault | Promise<StoreFault> = () => "none";
  onRead: (name: string) => StoreFault = () => "none";
  onList: () => StoreFault = () => "none";
  onRemove: () => StoreFault = () => "none";
  lists = 0;

  constructor(objects: Map<string, Uint8Array>) {
    this.inner = memoryCheckpointStore(objects);
  }

  async create(name: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    const fault = await this.onCreate(name);
    if (fault === "refused") throw outage();
    const outcome = await this.inner.create(name, bytes);
    if (fault === "lost answer") throw outage();
    return outcome;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    if (this.onRead(name) !== "none") throw outage();
    return this.inner.read(name);
  }

  async list(folder: string): Promise<string[]> {
    this.lists++;
    if (this.onList() !== "none") throw outage();
    return this.inner.list(folder);
  }

  async remove(name: string): Promise<void> {
    if (this.onRemove() !== "none") throw outage();
    await this.inner.remove(name);
  }
}

function outage(): StreamError {
  return new StreamError("CHECKPOINT_UNWRITABLE", "retry", "the store does not answer");
}
