import { createServer, type Server, type Socket } from "node:net";
import { listen } from "../listen.ts";
import { errorReply, type CommandContext } from "./command.ts";
import { runCommand } from "./commands.ts";
import { createCursors } from "./cursors.ts";
import { openJournal, type Journal } from "./journal.ts";
import { createStore, type Store } from "./store.ts";
import { expireDocuments } from "./expiry.ts";
import { createFramer, encodeReply, parseRequest, type Request } from "./wire.ts";
import { tripFailPoint, type FailPoints } from "./fail-points.ts";

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
  const server = createServer({ noDelay: true });
  // The port first: who cannot have it must not touch the file of the one who has.
  const address = await listen(server, host, port);
  const { store, closeStore } = openStore(options.file, server);
  const cursors = createCursors();
  const failPoints: FailPoints = { active: undefined };
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const connectionId = ++state.connections;
    const connectionCount = (): number => sockets.size;
    serve(socket, { store, cursors, failPoints, connectionId, connectionCount, nowMs }, log);
    if (state.frozen) socket.pause();
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

/** Synchronous: nobody connects between listening and the handler of connections. */
function openStore(
  file: string | undefined,
  server: Server,
): { store: Store; closeStore: () => void } {
  const keeping: { journal?: Journal } = {};
  const store = createStore((change) => keeping.journal?.append(change));
  try {
    // Unset while it replays, so that what is read is not written again.
    if (file !== undefined) keeping.journal = openJournal(file, store);
  } catch (error) {
    server.close();
    throw error;
  }
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
      for (const message of frame(chunk)) respond(socket, parseRequest(message), context);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log(`mongo: connection ${context.connectionId} closed: ${reason}`);
      socket.destroy();
    }
  });
}

function respond(socket: Socket, request: Request, context: CommandContext): void {
  if (socket.destroyed) return;
  const point = tripFailPoint(context.failPoints, request.command);
  if (point?.closeConnection === true) {
    socket.destroy();
    return;
  }
  const reply =
    point?.error === undefined ? runCommand(request.command, context) : errorReply(point.error);
  if (!request.replyExpected) return;
  const { writeConcernError } = point ?? {};
  const bytes = encodeReply(request, { ...reply, ...(writeConcernError && { writeConcernError }) });
  if (point === undefined || point.delayMs === 0) socket.write(bytes);
  else setTimeout(() => socket.write(bytes), point.delayMs).unref();
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
