import { StreamError } from "@adstream/engine/errors";
import type { Clock } from "@adstream/engine/ports";
import { MongoClient, type MongoClientOptions } from "mongodb";

import { backoffMs, outageBackoff } from "./backoff.ts";
import { mongoDocumentStore, type RawDocument } from "./document-store.ts";
import { mongoError } from "./mongo-errors.ts";
import type { DocumentStore } from "./ports.ts";
import { prepareCollection } from "./prepare-collection.ts";

export type DocumentStoreSettings = {
  /** MONGODB_URL, credentials and all. */
  readonly url: string;
  readonly database: string;
  readonly collection: string;
  /** null keeps results for ever. */
  readonly resultTtlMs: number | null;
};

export type OpeningContext = {
  readonly clock: Clock;
  readonly random: () => number;
  /** Called at every attempt that fails; the message is one line for people. */
  readonly waiting: (error: StreamError, delayMs: number) => void;
  readonly signal: AbortSignal;
};

export type OpenDocumentStore = DocumentStore & AsyncDisposable;

/**
 * Connects and prepares the collection. While the server is away it tries again, for ever.
 *
 * @throws {StreamError} NOT_AUTHORIZED
 * @throws the signal's reason when it aborts
 */
export async function openDocumentStore(
  settings: DocumentStoreSettings,
  { clock, random, waiting, signal }: OpeningContext,
): Promise<OpenDocumentStore> {
  await using opening = new AsyncDisposableStack();
  const client = opening.adopt(mongoClient(settings.url), (opened) => opened.close());
  const server = serverName(client);
  const collection = client.db(settings.database).collection<RawDocument>(settings.collection);
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    const error = await outageOf(server, () => prepareCollection(collection, settings.resultTtlMs));
    if (error === undefined) break;
    const delayMs = backoffMs(attempt, outageBackoff, random);
    waiting(error, delayMs);
    await clock.sleep(delayMs, signal);
  }
  const resources = opening.move();
  return {
    ...mongoDocumentStore(collection, server),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Connects at the first command. */
function mongoClient(url: string): MongoClient {
  return new MongoClient(url, { ...defaultsBehind(url), ...guarantees });
}

/** What the promise to keep every acknowledged write rests on; the URL cannot weaken it. */
const guarantees = {
  appName: "adstream-sink",
  writeConcern: { w: "majority", journal: true },
  readConcern: { level: "majority" },
  readPreference: "primary",
  retryWrites: true,
} as const;

/** Protocol 2.8. Options given to the driver outrank its URL, so what the URL sets is left out. */
function defaultsBehind(url: string): MongoClientOptions {
  const defaults = {
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
    socketTimeoutMS: 30_000,
    maxPoolSize: 10,
  };
  const given = new Set(url.toLowerCase().match(/(?<=[?&])[a-z]+(?==)/g));
  return Object.fromEntries(
    Object.entries(defaults).filter(([name]) => !given.has(name.toLowerCase())),
  );
}

/** Hosts of the connection string, for people; never its credentials. */
function serverName(client: MongoClient): string {
  const { srvHost, hosts } = client.options;
  return srvHost ?? hosts.map(String).join(",");
}

async function outageOf(
  server: string,
  call: () => Promise<void>,
): Promise<StreamError | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    const ours = mongoError(error, server);
    if (ours instanceof StreamError && ours.disposition === "retry") return ours;
    throw ours;
  }
}
