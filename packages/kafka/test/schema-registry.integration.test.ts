import { createServer, type Server } from "node:http";

import {
  startSchemaRegistry,
  type SchemaRegistryServer,
} from "@adstream/devstack/schema-registry/server";
import { openSchemaRegistry, type SchemaRegistryOptions } from "@adstream/kafka/schema-registry";
import { afterEach, beforeEach, expect, test } from "vitest";

import { memoryLog } from "./broker-fixture.ts";

const clicks = JSON.stringify({
  type: "record",
  name: "Click",
  fields: [{ name: "ad", type: "string" }],
});
const incompatible = JSON.stringify({
  type: "record",
  name: "Click",
  fields: [
    { name: "ad", type: "string" },
    { name: "cost", type: "double" },
  ],
});

let server: SchemaRegistryServer;
let nowMs = 0;
beforeEach(async () => {
  server = await startSchemaRegistry({});
  nowMs = 0;
});
afterEach(() => server.close());

function open(options: Partial<SchemaRegistryOptions> = {}) {
  return openSchemaRegistry({ url: server.url, log: memoryLog(), nowMs: () => nowMs, ...options });
}

test("a registered schema is fetched by its id, once for callers at the same time and for ever after", async () => {
  const registry = open();
  const id = await registry.register("clicks-value", clicks);
  const before = server.requestCount;
  const fetched = await Promise.all([registry.fetchSchema(id), registry.fetchSchema(id)]);
  expect(fetched.map((schema) => schema.kind === "schema" && JSON.parse(schema.text))).toEqual([
    JSON.parse(clicks),
    JSON.parse(clicks),
  ]);
  server.setOutage({ status: 500 });
  expect(await registry.fetchSchema(id)).toEqual(fetched[0]);
  expect(server.requestCount - before).toBe(1);
});

test("registering twice gives the same id and leaves the subject's compatibility alone", async () => {
  const registry = open();
  const first = await registry.register("clicks-value", clicks);
  expect(await registry.register("clicks-value", clicks)).toBe(first);
  const config = await fetch(`${server.url}/config/clicks-value`);
  expect(config.status).toBe(404);
});

test("a subject with another compatibility than the library's default takes a schema", async () => {
  await fetch(`${server.url}/config/clicks-value`, {
    method: "PUT",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ compatibility: "NONE" }),
  });
  const registry = open();
  await registry.register("clicks-value", clicks);
  expect(await registry.register("clicks-value", incompatible)).toBeGreaterThan(0);
});

test("an incompatible schema is refused with the registry's words", async () => {
  const registry = open();
  await registry.register("clicks-value", clicks);
  const refused = registry.register("clicks-value", incompatible);
  await expect(refused).rejects.toMatchObject({ code: "SCHEMA_INCOMPATIBLE", exitCode: 78 });
  await expect(refused).rejects.toThrow(/clicks-value: .*(incompatible|cost)/i);
});

test("a conflict with somebody who registers at the same moment is no refusal", async () => {
  let posts = 0;
  const racing = await listening(
    createServer((_request, response) => {
      posts++;
      response.setHeader("content-type", "application/vnd.schemaregistry.v1+json");
      if (posts === 1) response.writeHead(409).end('{"error_code":409,"message":"exists"}');
      else response.end('{"id":7}');
    }),
  );
  expect(await open({ url: racing.url }).register("t-value", clicks)).toBe(7);
  racing.server.close();
});

test("an unknown id is asked again after 1, 2, 4 … 30 s, not per record", async () => {
  const registry = open();
  const asked: number[] = [];
  for (; nowMs < 130_000; nowMs += 500) {
    const before = server.requestCount;
    expect(await registry.fetchSchema(77)).toEqual({ kind: "unknown" });
    if (server.requestCount > before) asked.push(nowMs / 1_000);
  }
  expect(asked).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121]);
});

test("an id that was unknown is found once it is registered", async () => {
  const registry = open();
  expect(await registry.fetchSchema(1)).toEqual({ kind: "unknown" });
  await open().register("clicks-value", clicks);
  nowMs = 1_500;
  expect(await registry.fetchSchema(1)).toMatchObject({ kind: "schema" });
});

test("ids that no registry gives out are unknown without asking", async () => {
  const registry = open();
  expect(await registry.fetchSchema(2 ** 32 - 1)).toEqual({ kind: "unknown" });
  expect(server.requestCount).toBe(0);
});

test.each([
  ["an error of the server", { status: 503 }],
  ["an answer that never comes", "hang"],
] as const)("%s is an outage, never an unknown schema", async (_what, outage) => {
  server.setOutage(outage);
  const registry = open({ timeoutMs: 1_000 });
  const began = performance.now();
  await expect(registry.fetchSchema(1)).rejects.toMatchObject({
    code: "SERVER_UNAVAILABLE",
    disposition: "retry",
    message: expect.stringContaining(server.url),
  });
  expect(performance.now() - began).toBeLessThan(2_500);
  server.setOutage(null);
  expect(await registry.fetchSchema(1)).toEqual({ kind: "unknown" });
});

test("a registry that cannot be reached is an outage", async () => {
  await server.close();
  const registry = open();
  await expect(registry.fetchSchema(1)).rejects.toMatchObject({ code: "SERVER_UNAVAILABLE" });
  await expect(registry.register("s", clicks)).rejects.toMatchObject({
    code: "SERVER_UNAVAILABLE",
  });
});

test("404 from something that is no registry does not make schemas unknown", async () => {
  const other = await listening(
    createServer((_request, response) => response.writeHead(404).end("<html>not here</html>")),
  );
  const registry = open({ url: other.url });
  await expect(registry.fetchSchema(1)).rejects.toMatchObject({
    code: "SERVER_UNAVAILABLE",
    disposition: "retry",
  });
  other.server.close();
});

test("credentials are sent, whether given apart or within the URL, and appear in no error", async () => {
  await server.close();
  server = await startSchemaRegistry({ username: "canary-user", password: "canary-secret" });
  const apart = open({ username: "canary-user", password: "canary-secret" });
  expect(await apart.register("clicks-value", clicks)).toBe(1);
  const within = open({ url: server.url.replace("//", "//canary-user:canary-secret@") });
  expect(await within.fetchSchema(1)).toMatchObject({ kind: "schema" });
  const log = memoryLog();
  const wrong = open({ url: server.url.replace("//", "//canary-user:canary-wrong@"), log });
  const error: unknown = await wrong.fetchSchema(1).catch((refusal: unknown) => refusal);
  expect(error).toMatchObject({ code: "NOT_AUTHORIZED", exitCode: 64 });
  expect(`${String(error)} ${JSON.stringify(error)} ${log.lines.join()}`).not.toContain("canary");
});

async function listening(server: Server): Promise<{ server: Server; url: string }> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { server, url: `http://127.0.0.1:${port}` };
}
