import { valueSubject } from "@adstream/contracts/topics";
import { type Devstack, startDevstack } from "@adstream/devstack/start-devstack";
import { Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";

/** The embedded servers, clients of them, and a schema that is registered. */
export type VerifyServers = AsyncDisposable & {
  readonly devstack: Devstack;
  readonly kafka: Kafka;
  readonly mongo: MongoClient;
  readonly schemaId: number;
};

/** @param topic whose values have the schema */
export async function startServers(topic: string, schema: string): Promise<VerifyServers> {
  await using starting = new AsyncDisposableStack();
  const devstack = starting.adopt(await startDevstack(), (stack) => stack.close());
  const kafka = new Kafka({ brokers: [devstack.kafka.brokers], logLevel: logLevel.NOTHING });
  const mongo = starting.adopt(new MongoClient(devstack.mongo.url), (client) => client.close());
  const url = `${devstack.schemaRegistry.url}/subjects/${valueSubject(topic)}/versions`;
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ schema }),
  });
  const schemaId = Number(Reflect.get(Object(await answer.json()), "id"));
  const resources = starting.move();
  const close = (): Promise<void> => resources.disposeAsync();
  return { devstack, kafka, mongo, schemaId, [Symbol.asyncDispose]: close };
}
