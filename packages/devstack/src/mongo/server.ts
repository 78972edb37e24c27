import { createServer, type Server, type Socket } from "node:net";
import { listen } from "../listen.ts";
import type { CommandContext } from "./command.ts";
import { runCommand } from "./commands.ts";
import { createCursors } from "./cursors.ts";
import { openJournal, type Journal } from "./journal.ts";
import { createStore, type Store } from "./store.ts";
import { expireDocuments } from "./expiry.ts";
import { createFramer, encodeReply, parseRequest } from "./wire.ts";

/** All optional: an ephemeral port on loopback, data in memory. */
export type MongoOptions = {
  readonly host?: string | undefined;
  /** 0, the default, is any free port. */
  readonly port?: number | undefined;
  /** Keeps the data across restarts, as journal.ts says. */
  readonly file?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** How often documents under a TTL index are looked at; 1 s unless told. */
  readonly expiryIntervalMs?: number | undefined;
  readonly nowMs?: (() => number) | undefined;
};

/** A running server. */
export type MongoServer = AsyncDisposable & {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
  /** Stops reading what clients send, as a hung server does; connections stay. */
  freeze(): void;
  thaw(): void;
  /** Cuts every connection; clients may connect again. */
  disconnectAll(): void;
  /** Removes what TTL indexes say is too old by now, and says how many documents. */
  expire(): number;
};

/**
 * Starts a MongoDB server for development and tests: the wire protocol of a standalone MongoDB 7,
 * without authentication, TLS, transactions or change streams. `w: majority` is accepted.
 *
 * @throws Error EADDRINUSE when the port is taken
 */
export async function startMongo(options: MongoOptions = {}): Promise<MongoServer> {
  const { host = "127.0.0.1", port = 0, log = (): void => {}, nowMs = Date.now } = options;
  const sockets = new Set<Socket>();
  const state = { frozen: false, connections: 0 };
  const { store, closeStore } = openStore(options.file);
  const cursors = createCursors();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const connectionId = ++state.connections;
    const context = { store, cursors, connectionId, connectionCount: () => sockets.size, nowMs };
    serve(socket, context, log);
    if (state.frozen) socket.pause();
  });
  const address = await listen(server, host, port).catch((error: unknown) => {
    closeStore();
    throw error;
  });
  const sweep = setInterval(
    () => state.frozen || expireDocuments(store, nowMs()),
    options.expiryIntervalMs ?? 1_000,
  );
  const close = async (): Promise<void> => {
    clearInterval(sweep);
    for (const socket of sockets) socket.destroy();
    if (server.listening) await closeServer(server);
    closeStore();
  };
  return {
    url: `mongodb://${host}:${address.port}/?directConnection=true`,
    host,
    port: address.port,
    close,
    [Symbol.asyncDispose]: close,
    freeze() {
      state.frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      state.frozen = false;
      for (const socket of sockets) socket.resume();
    },
    disconnectAll() {
      for (const socket of sockets) socket.destroy();
    },
    expire: () => expireDocuments(store, nowMs()),
  };
}

function openStore(file: string | undefined): { store: Store; closeStore: () => void } {
  const keeping: { journal?: Journal } = {};
  const store = createStore((change) => keeping.journal?.append(change));
  // Unset while it replays, so that what is read is not written again.
  if (file !== undefined) keeping.journal = openJournal(file, store);
  return {
    store,
    closeStore: () => {
      keeping.journal?.close();
      delete keeping.journal;
    },
  };
}

function serve(socket: Socket, context: CommandContext, log: (line: string) => void): void {
  const frame = createFramer();
  socket.on("error", () => socket.destroy()); // the client went away; nothing to tell anybody
  socket.on("data", (chunk: Buffer) => {
    try {
      for (const message of frame(chunk)) {
        const request = parseRequest(message);
        const reply = runCommand(request.command, context);
        if (request.replyExpected) socket.write(encodeReply(request, reply));
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log(`mongo: connection ${context.connectionId} closed: ${reason}`);
      socket.destroy();
    }
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
