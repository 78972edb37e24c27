import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { valueSubject } from "@adstream/contracts/topics";
import type { Admin, Kafka } from "kafkajs";
import { registerCodecs } from "./codecs.ts";
import type { CompareOptions } from "./compare-options.ts";
import type { Peers } from "./peers.ts";
import { openServers } from "./servers.ts";
import { openAdmin, registerSchema, stockClient } from "./topics.ts";

/** Where engines are compared: the peers' broker, and for us a registry that knows the schema of the events. */
export type Arena = {
  readonly kafka: Kafka;
  readonly admin: Admin;
  /** What our processor needs to reach them. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the harness is told about the events, and that it is to answer in JSON. */
  readonly tool: readonly string[];
  /** Tells our topics and groups from others. */
  readonly run: string;
};

const schemaFile = fileURLToPath(new URL("../../../schema.avsc", import.meta.url));

export async function openArena(
  peers: Peers,
  { codec }: CompareOptions,
): Promise<Arena & AsyncDisposable> {
  registerCodecs();
  await using opening = new AsyncDisposableStack();
  const { address } = opening.use(peers.openBroker());
  const servers = opening.use(await openServers({ env: { KAFKA_BROKERS: address } }));
  const kafka = stockClient([address]);
  const { client: admin } = opening.use(await openAdmin(kafka));
  const run = `bench-${randomBytes(4).toString("hex")}`;
  const schemaId = await registerSchema(servers.registryUrl, valueSubject(run));
  const resources = opening.move();
  return {
    kafka,
    admin,
    environment: servers.environment,
    tool: ["--codec", codec, "--schema", schemaFile, "--schema-id", `${schemaId}`, "--json"],
    run,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
