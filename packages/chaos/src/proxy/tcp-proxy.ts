import { connect, createServer, type Socket } from "node:net";
import { listen } from "@adstream/devstack/listen";
import {
  type Direction,
  type Ending,
  type FaultAction,
  type FaultHandle,
  FaultScript,
  type Piece,
  type ProxyFault,
} from "./faults.ts";
import { type Conditions, Lane } from "./lane.ts";

/** A server that stands before another one and passes on what it is told to. Disposing cuts everything. */
export type TcpProxy = AsyncDisposable & {
  /** "host:port" for clients. */
  readonly address: string;
  readonly connections: number;
  /** Replaces what every connection suffers, those that are open included; `{}` ends it. */
  set(conditions: Conditions): void;
  /** Arms a fault for whatever connection meets it first. */
  add(fault: ProxyFault): FaultHandle;
  /** Disarms what is left, and lets everything pass. */
  heal(): void;
  /** Ends every open connection now. @returns how many */
  cut(ending: Ending): number;
};

/** How the bytes of one connection divide into pieces. Made anew for each connection. */
export type Pieces = (direction: Direction, chunk: Buffer) => Promise<readonly Piece[]>;

export type ProxyOptions = {
  /** "host:port" of the server. */
  readonly target: string;
  /** Chunks as they come when left out. */
  readonly pieces?: () => Pieces;
  /** Shared by the proxies of one cluster. */
  readonly state?: ProxyState;
};

export type ProxyState = { readonly script: FaultScript; conditions: Conditions };

/** Between a client and any server: frames mean nothing to it. */
export async function openTcpProxy(options: ProxyOptions): Promise<TcpProxy> {
  const { target, state = { script: new FaultScript(), conditions: {} } } = options;
  const pieces = options.pieces ?? (() => async (_direction, bytes) => [{ bytes }]);
  const open = new Set<Connection>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (state.conditions.refusing === true) {
      client.resetAndDestroy();
      return;
    }
    const connection = new Connection(client, connectTo(target), {
      state,
      pieces: pieces(),
      target,
    });
    open.add(connection);
    void connection.ended.then(() => open.delete(connection));
  });
  const { port } = await listen(server, "127.0.0.1", 0);
  const cut = (ending: Ending): number => {
    const cutOff = [...open].filter((connection) => connection.end(ending));
    return cutOff.length;
  };
  return {
    address: `127.0.0.1:${port}`,
    get connections() {
      return open.size;
    },
    set: (conditions) => void (state.conditions = conditions),
    add: (fault) => state.script.add(fault),
    heal() {
      state.script.clear();
      state.conditions = {};
    },
    cut,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of open) connection.end("reset");
      await closed;
    },
  };
}

function connectTo(target: string): Socket {
  const colon = target.lastIndexOf(":");
  const address = { host: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
  return connect({ ...address, allowHalfOpen: true });
}

type ConnectionOptions = {
  readonly state: ProxyState;
  readonly pieces: Pieces;
  readonly target: string;
};

/** One client and its connection to the server. */
class Connection {
  readonly #options: ConnectionOptions;
  readonly #sockets: readonly Socket[];
  readonly #over = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #silenced = false;

  constructor(client: Socket, server: Socket, options: ConnectionOptions) {
    this.#options = options;
    this.#sockets = [client, server];
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.on("error", () => this.#broken());
    }
    const requests = this.#pass("request", client, server);
    const responses = this.#pass("response", server, client);
    void Promise.all([requests, responses]).then(() => this.#broken());
  }

  /** Resolves when both sockets are gone. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** @returns false when it was over, or silent, before */
  end(ending: Ending): boolean {
    if (this.#over.signal.aborted || (this.#silenced && ending === "silence")) return false;
    if (ending === "silence") this.#silenced = true;
    else this.#destroy(ending);
    return true;
  }

  /** One side is gone by itself; a silenced connection keeps that to itself. */
  #broken(): void {
    if (!this.#mute()) this.#destroy("close");
  }

  #mute(): boolean {
    return this.#silenced || this.#options.state.conditions.silent === true;
  }

  #destroy(ending: "close" | "reset"): void {
    this.#over.abort();
    for (const socket of this.#sockets) {
      if (ending === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
    this.#ended.resolve();
  }

  /** Never rejects. */
  async #pass(direction: Direction, source: Socket, target: Socket): Promise<void> {
    const { state, pieces } = this.#options;
    const lane = new Lane({
      target,
      signal: this.#over.signal,
      conditions: () => (this.#silenced ? { silent: true } : state.conditions),
      end: (ending) => void this.end(ending),
    });
    try {
      for await (const chunk of source) {
        for (const piece of await pieces(direction, chunk)) {
          await this.#meet(direction, piece, lane);
        }
      }
    } catch {
      return this.#broken();
    }
    await lane.drained();
    if (!this.#mute()) target.end();
  }

  async #meet(direction: Direction, piece: Piece, lane: Lane): Promise<void> {
    const action: FaultAction | undefined = this.#options.state.script.hit(direction, piece);
    if (action === "drop") return;
    if (action === "duplicate") this.#sendTwice(piece);
    else if (typeof action === "object" && "ending" in action)
      lane.light(action.passBytes, action.ending);
    const delayed = typeof action === "object" && "delayMs" in action;
    await lane.push(piece.bytes, delayed ? action.delayMs : 0);
  }

  #sendTwice({ bytes }: Piece): void {
    const second = connectTo(this.#options.target);
    second.on("error", () => second.destroy());
    second.write(bytes);
    second.resume();
    this.#over.signal.addEventListener("abort", () => second.destroy(), { once: true });
  }
}
