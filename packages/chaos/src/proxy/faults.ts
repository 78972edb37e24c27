/** Requests go from client to server, responses come back. */
export type Direction = "request" | "response";

/** How a connection ends: FIN, RST, or not at all while nothing passes any more (half-open). */
export type Ending = "close" | "reset" | "silence";

/**
 * What happens to the piece that a fault hits: a frame of Kafka, a chunk of any other protocol.
 * - "drop": it goes nowhere, the connection stays.
 * - "duplicate": the server gets it a second time, over a connection of its own whose answers nobody reads.
 * - delayMs: it passes so much later, and what is behind it, too.
 * - passBytes, ending: so many bytes of it and of what follows pass, and then the connection ends.
 */
export type FaultAction =
  | "drop"
  | "duplicate"
  | { readonly delayMs: number }
  | { readonly passBytes: number; readonly ending: Ending };

export type ProxyFault = {
  /** "response" when left out. */
  readonly direction?: Direction;
  /** Of Kafka (0 Produce, 1 Fetch, …), for responses that of their request; left out: all. */
  readonly apiKey?: number;
  /** Matching pieces that pass unharmed before the first hit; 0. */
  readonly skip?: number;
  /** Pieces it hits before it is spent; 1. */
  readonly count?: number;
  readonly action: FaultAction;
};

export type FaultHandle = {
  readonly hits: number;
  remove(): void;
};

/** What passes a proxy at once. */
export type Piece = { readonly bytes: Buffer; readonly apiKey?: number | undefined };

type Armed = { readonly fault: ProxyFault; seen: number; hits: number };

/** Faults of one proxy in the order they were added; a piece is hit by the first that matches. */
export class FaultScript {
  readonly #armed = new Set<Armed>();

  add(fault: ProxyFault): FaultHandle {
    const armed: Armed = { fault, seen: 0, hits: 0 };
    this.#armed.add(armed);
    return {
      get hits() {
        return armed.hits;
      },
      remove: () => void this.#armed.delete(armed),
    };
  }

  clear(): void {
    this.#armed.clear();
  }

  /** Counts the piece for every fault that it matches up to the one that hits it. */
  hit(direction: Direction, { apiKey }: Piece): FaultAction | undefined {
    for (const armed of this.#armed) {
      const { fault } = armed;
      if ((fault.direction ?? "response") !== direction) continue;
      if (fault.apiKey !== undefined && fault.apiKey !== apiKey) continue;
      armed.seen += 1;
      if (armed.seen <= (fault.skip ?? 0)) continue;
      armed.hits += 1;
      if (armed.hits >= (fault.count ?? 1)) this.#armed.delete(armed);
      return fault.action;
    }
    return undefined;
  }
}
