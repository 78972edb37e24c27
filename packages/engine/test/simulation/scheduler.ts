import type { Random } from "./random.ts";

type Entry = { readonly at: number; readonly tie: number; readonly action: () => void };

/**
 * Virtual time: it moves only when nothing is ready, and what is ready at one time runs in seeded order. Between two steps
 * every promise that can settle does.
 */
export class Scheduler {
  nowMs = 0;
  steps = 0;
  readonly #random: Random;
  /** A binary heap, the earliest first. */
  readonly #heap: Entry[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  after(delayMs: number, action: () => void): void {
    const entry = { at: this.nowMs + delayMs, tie: this.#random.next(), action };
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  /** Runs the next action and all that follows from it without time passing; false when nothing is left. */
  async step(): Promise<boolean> {
    const entry = this.#takeFirst();
    if (entry === undefined) return false;
    this.nowMs = Math.max(this.nowMs, entry.at);
    this.steps++;
    entry.action();
    await settled();
    return true;
  }

  #takeFirst(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      let candidate = heap[child];
      const right = heap[child + 1];
      if (candidate === undefined) break;
      if (right !== undefined && before(right, candidate)) {
        child++;
        candidate = right;
      }
      if (!before(candidate, last)) break;
      heap[index] = candidate;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie);
}

/** Node runs the next tick only after the whole microtask queue: an exact drain, without a timer. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.nextTick(resolve);
  });
}
