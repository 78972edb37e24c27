import { startMongo } from "@adstream/devstack/mongo/server";
import { MongoClient } from "mongodb";

export type TestMongo = AsyncDisposable & {
  readonly url: string;
  /** For looking behind the store's back. */
  readonly client: MongoClient;
};

/** The server named by TEST_MONGODB_URL, else one in this process. */
export async function openTestMongo(): Promise<TestMongo> {
  await using opening = new AsyncDisposableStack();
  const url = process.env["TEST_MONGODB_URL"] ?? opening.use(await startMongo()).url;
  const client = opening.adopt(new MongoClient(url), (opened) => opened.close());
  const resources = opening.move();
  return { url, client, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
