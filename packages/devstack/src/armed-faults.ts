export type FaultHandle = {
  /** Requests hit so far. */
  readonly hits: number;
  /** Ends the fault before it is spent. */
  remove(): void;
};

type Countable = {
  /** How many requests it hits before it is spent; 1 when left out, Infinity for all. */
  readonly count?: number;
};

type Armed<Fault> = { readonly fault: Fault; hits: number };

/** Scripted faults of one server in the order they were added, each until it is spent or removed. */
export class ArmedFaults<Fault extends Countable> {
  readonly #armed: Armed<Fault>[] = [];

  add(fault: Fault): FaultHandle {
    const armed: Armed<Fault> = { fault, hits: 0 };
    this.#armed.push(armed);
    return {
      get hits() {
        return armed.hits;
      },
      remove: () => this.#disarm(armed),
    };
  }

  /** Ends all faults. */
  clear(): void {
    this.#armed.length = 0;
  }

  /** Counts a hit for the first fault that matches, and returns it. */
  hitFirst(matches: (fault: Fault) => boolean): Fault | undefined {
    const armed = this.#armed.find(({ fault }) => matches(fault));
    if (armed !== undefined) this.#hit(armed);
    return armed?.fault;
  }

  /** Counts a hit for every fault that matches, and returns them. */
  hitAll(matches: (fault: Fault) => boolean): Fault[] {
    const matching = this.#armed.filter(({ fault }) => matches(fault));
    for (const armed of matching) this.#hit(armed);
    return matching.map(({ fault }) => fault);
  }

  #hit(armed: Armed<Fault>): void {
    armed.hits += 1;
    if (armed.hits >= (armed.fault.count ?? 1)) this.#disarm(armed);
  }

  #disarm(armed: Armed<Fault>): void {
    const index = this.#armed.indexOf(armed);
    if (index >= 0) this.#armed.splice(index, 1);
  }
}
