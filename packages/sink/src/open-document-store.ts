import { adStatsShape } from "@adstream/contracts/ad-stats";
import type { ResultShape } from "@adstream/contracts/result-shape";
import { MongoClient, type MongoClientOptions } from "mongodb";

import { mongoDocumentStore, type RawDocument } from "./document-store.ts";
import { oneLine, translated } from "./mongo-errors.ts";
import type { DocumentStore } from "./ports.ts";
import { prepareCollection } from "./prepare-collection.ts";

export type DocumentStoreSettings = {
  /** MONGODB_URL, credentials and all. */
  readonly url: string;
  readonly database: string;
  readonly collection: string;
  /** null keeps results for ever. */
  readonly resultTtlMs: number | null;
  /** Of the job's results; without it that of ad-stats. */
  readonly shape?: ResultShape;
};

export type OpenDocumentStore = DocumentStore & AsyncDisposable;

/**
 * Connects and prepares the collection; one attempt.
 *
 * @throws {StreamError} SERVER_UNAVAILABLE (retry), NOT_AUTHORIZED
 */
export async function openDocumentStore(
  settings: DocumentStoreSettings,
): Promise<OpenDocumentStore> {
  await using opening = new AsyncDisposableStack();
  const client = opening.adopt(mongoClient(settings.url), (opened) => opened.close());
  const server = serverName(client);
  const collection = client.db(settings.database).collection<RawDocument>(settings.collection);
  const { shape = adStatsShape, resultTtlMs } = settings;
  await translated(server, () => prepareCollection(collection, resultTtlMs, shape.key));
  const resources = opening.move();
  return {
    ...mongoDocumentStore(collection, server, shape),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Hosts of a connection string, for people; never its credentials. */
export function mongoAddress(url: string): string {
  return serverName(new MongoClient(url));
}

/** What the driver finds wrong with a connection string, without its credentials; undefined when it takes it. */
export function connectionStringProblem(url: string): string | undefined {
  try {
    mongoClient(url);
    return undefined;
  } catch (error) {
    return `is not taken by the driver: ${oneLine(error instanceof Error ? error.message : "")}`;
  }
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

function serverName(client: MongoClient): string {
  const { srvHost, hosts } = client.options;
  return srvHost ?? hosts.map(String).join(",");
}
