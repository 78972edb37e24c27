import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  startSchemaRegistry,
  type SchemaRegistryServer,
} from "../../src/schema-registry/server.ts";

const v1 = '{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"}]}';
const v1Spaced =
  '{ "namespace": "n", "name": "R", "type": "record", "fields": [ { "type": "int", "name": "a" } ] }';
const v2 = v1.replace("]}", ',{"name":"b","type":"string","default":""}]}');
const breaking = v1.replace("]}", ',{"name":"b","type":"string"}]}');

let server: SchemaRegistryServer;

beforeEach(async () => {
  server = await startSchemaRegistry();
});

afterEach(async () => {
  await server.close();
});

type Answer = { status: number; body: unknown };

async function ask(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(response.headers.get("content-type")).toBe("application/vnd.schemaregistry.v1+json");
  return { status: response.status, body: await response.json() };
}

const register = (subject: string, schema: string): Promise<Answer> =>
  ask("POST", `/subjects/${subject}/versions`, { schema });

test("a schema has one id, whatever its spelling, however often and wherever it is registered", async () => {
  expect(await register("s", v1)).toEqual({ status: 200, body: { id: 1 } });
  expect(await register("s", v1Spaced)).toEqual({ status: 200, body: { id: 1 } });
  expect(await register("s", v2)).toEqual({ status: 200, body: { id: 2 } });
  expect(await register("t", v2)).toEqual({ status: 200, body: { id: 2 } });
  expect(await ask("GET", "/subjects/s/versions")).toEqual({ status: 200, body: [1, 2] });
  expect(await ask("GET", "/schemas/ids/2/versions")).toEqual({
    status: 200,
    body: [
      { subject: "s", version: 2 },
      { subject: "t", version: 1 },
    ],
  });
});

test("an incompatible schema is refused with the reason and changes nothing", async () => {
  await register("s", v1);
  expect(await register("s", breaking)).toEqual({
    status: 409,
    body: {
      error_code: 409,
      message:
        "Schema being registered is incompatible with an earlier schema for subject \"s\", details: [new schema cannot read old data: /b: the reader's field 'b' has no default and is missing in the writer]",
    },
  });
  expect(await ask("GET", "/subjects/s/versions")).toEqual({ status: 200, body: [1] });
});

test("the level of a subject goes before the global one", async () => {
  await register("s", v1);
  expect(await ask("PUT", "/config", { compatibility: "FORWARD" })).toEqual({
    status: 200,
    body: { compatibility: "FORWARD" },
  });
  expect(await ask("GET", "/config/s?defaultToGlobal=true")).toEqual({
    status: 200,
    body: { compatibilityLevel: "FORWARD" },
  });
  await ask("PUT", "/config/s", { compatibility: "BACKWARD" });
  expect(await register("s", breaking)).toMatchObject({ status: 409 });
  expect(await ask("DELETE", "/config/s")).toEqual({
    status: 200,
    body: { compatibilityLevel: "BACKWARD" },
  });
  expect(await register("s", breaking)).toMatchObject({ status: 200 });
});

const described = { subject: "s", version: 1, id: 1, schema: v1 };

test.for<[string, string, object | undefined, number, unknown]>([
  ["GET", "/", undefined, 200, {}],
  ["GET", "/subjects", undefined, 200, ["s", "with/slash"]],
  ["GET", "/subjects?subjectPrefix=w", undefined, 200, ["with/slash"]],
  ["GET", "/subjects/with%2Fslash/versions", undefined, 200, [1]],
  ["GET", "/subjects/s/versions/1", undefined, 200, described],
  ["GET", "/subjects/s/versions/latest", undefined, 200, described],
  ["GET", "/subjects/s/versions/-1", undefined, 200, described],
  ["GET", "/subjects/s/versions/1/schema", undefined, 200, JSON.parse(v1)],
  ["POST", "/subjects/s", { schema: v1Spaced }, 200, described],
  ["GET", "/schemas/ids/1", undefined, 200, { schema: v1 }],
  ["GET", "/schemas/ids/1/subjects", undefined, 200, ["s", "with/slash"]],
  ["GET", "/schemas/types", undefined, 200, ["AVRO"]],
  ["GET", "/config", undefined, 200, { compatibilityLevel: "BACKWARD" }],
  ["GET", "/mode", undefined, 200, { mode: "READWRITE" }],
  [
    "POST",
    "/compatibility/subjects/s/versions/latest",
    { schema: v2 },
    200,
    { is_compatible: true },
  ],
  [
    "POST",
    "/compatibility/subjects/s/versions/1",
    { schema: breaking },
    200,
    { is_compatible: false },
  ],
  [
    "POST",
    "/compatibility/subjects/s/versions?verbose=true",
    { schema: v2 },
    200,
    { is_compatible: true, messages: [] },
  ],
])("%s %s answers", async ([method, path, body, status, expected]) => {
  await register("s", v1);
  await register("with%2Fslash", v1);
  expect(await ask(method, path, body)).toEqual({ status, body: expected });
});

test.for<[number, string, string, object | undefined]>([
  [40401, "GET", "/subjects/nope/versions", undefined],
  [40401, "GET", "/subjects/nope/versions/latest", undefined],
  [40401, "POST", "/subjects/nope", { schema: v1 }],
  [40401, "DELETE", "/subjects/nope", undefined],
  [40402, "GET", "/subjects/s/versions/9", undefined],
  [40402, "DELETE", "/subjects/s/versions/9", undefined],
  [40402, "POST", "/compatibility/subjects/s/versions/9", { schema: v1 }],
  [40403, "GET", "/schemas/ids/99", undefined],
  [40403, "GET", "/schemas/ids/x", undefined],
  [40403, "POST", "/subjects/s", { schema: v2 }],
  [40408, "GET", "/config/s", undefined],
  [40405, "DELETE", "/subjects/s?permanent=true", undefined],
  [40407, "DELETE", "/subjects/s/versions/1?permanent=true", undefined],
  [42201, "POST", "/subjects/s/versions", { schema: "{" }],
  [42201, "POST", "/subjects/s/versions", { schema: '{"type":"record"}' }],
  [42201, "POST", "/subjects/s/versions", {}],
  [42201, "POST", "/subjects/s/versions", { schema: v1, schemaType: "PROTOBUF" }],
  [42202, "GET", "/subjects/s/versions/0", undefined],
  [42202, "GET", "/subjects/s/versions/first", undefined],
  [42203, "PUT", "/config", { compatibility: "SOMETIMES" }],
  [404, "GET", "/nowhere", undefined],
  [405, "PUT", "/subjects/s", {}],
  [400, "GET", "/subjects/%E0%A4%A/versions", undefined],
])("error %i answers %s %s", async ([code, method, path, body]) => {
  await register("s", v1);
  const answer = await ask(method, path, body);
  expect(answer).toMatchObject({ body: { error_code: code, message: expect.any(String) } });
  expect(answer.status).toBe(Number(String(code).slice(0, 3)));
});

test("a body that is no JSON is an error", async () => {
  const response = await fetch(`${server.url}/subjects/s/versions`, {
    method: "POST",
    body: "schema",
  });
  expect(response.status).toBe(400);
});

test("deleting is soft first: ids stay readable, numbers are not used again", async () => {
  await register("s", v1);
  await register("s", v2);
  expect(await ask("DELETE", "/subjects/s/versions/1")).toEqual({ status: 200, body: 1 });
  expect(await ask("GET", "/subjects/s/versions")).toEqual({ status: 200, body: [2] });
  expect(await ask("GET", "/subjects/s/versions?deleted=true")).toEqual({
    status: 200,
    body: [1, 2],
  });
  expect(await ask("GET", "/schemas/ids/1")).toEqual({ status: 200, body: { schema: v1 } });
  expect(await ask("DELETE", "/subjects/s")).toEqual({ status: 200, body: [2] });
  expect(await ask("GET", "/subjects")).toEqual({ status: 200, body: [] });
  expect(await register("s", breaking)).toEqual({ status: 200, body: { id: 3 } });
  expect(await ask("GET", "/subjects/s/versions")).toEqual({ status: 200, body: [3] });
  await ask("DELETE", "/subjects/s");
  expect(await ask("DELETE", "/subjects/s?permanent=true")).toEqual({
    status: 200,
    body: [1, 2, 3],
  });
  expect(await ask("GET", "/subjects?deleted=true")).toEqual({ status: 200, body: [] });
});

test("a version that is deleted for good is gone, its neighbours are not", async () => {
  await register("s", v1);
  await register("s", v2);
  await ask("DELETE", "/subjects/s/versions/1");
  expect(await ask("DELETE", "/subjects/s/versions/1?permanent=true")).toEqual({
    status: 200,
    body: 1,
  });
  expect(await ask("GET", "/subjects/s/versions?deleted=true")).toEqual({ status: 200, body: [2] });
});

test("an outage answers every request with its status, then ends", async () => {
  await register("s", v1);
  server.setOutage({ status: 503 });
  const before = server.requestCount;
  expect(await ask("GET", "/schemas/ids/1")).toMatchObject({
    status: 503,
    body: { error_code: 503 },
  });
  expect(server.requestCount).toBe(before + 1);
  server.setOutage(null);
  expect(await ask("GET", "/schemas/ids/1")).toMatchObject({ status: 200 });
});

test("an outage that hangs answers nothing until it ends", async () => {
  await register("s", v1);
  server.setOutage("hang");
  await expect(
    fetch(`${server.url}/schemas/ids/1`, { signal: AbortSignal.timeout(30) }),
  ).rejects.toThrow("timeout");
  let answered = false;
  const waiting = ask("GET", "/schemas/ids/1").finally(() => (answered = true));
  while (server.requestCount < 3) await new Promise((resolve) => setImmediate(resolve));
  server.setOutage({ status: 503 });
  expect(await ask("GET", "/schemas/ids/1")).toMatchObject({ status: 503 });
  expect(answered).toBe(false);
  server.setOutage(null);
  expect(await waiting).toMatchObject({ status: 200 });
});

test("with a password, only who knows it is answered", async () => {
  await using secured = await startSchemaRegistry({ username: "u", password: "p" });
  const withCredentials = (credentials: string): Promise<Response> =>
    fetch(`${secured.url}/subjects`, { headers: { Authorization: `Basic ${btoa(credentials)}` } });
  expect((await fetch(`${secured.url}/subjects`)).status).toBe(401);
  expect((await withCredentials("u:x")).status).toBe(401);
  expect((await withCredentials("u:p")).status).toBe(200);
});

test("with a file, ids, versions and levels outlive the process", async () => {
  const directory = mkdtempSync(join(tmpdir(), "devstack-registry-"));
  try {
    const file = join(directory, "registry.json");
    server = await restart(server, file);
    await register("s", v1);
    await register("t", v2);
    await ask("PUT", "/config/s", { compatibility: "FULL" });
    await ask("PUT", "/config", { compatibility: "NONE" });
    await ask("DELETE", "/subjects/t");
    server = await restart(server, file);
    expect(await register("s", v1)).toEqual({ status: 200, body: { id: 1 } });
    expect(await register("s", breaking)).toMatchObject({ status: 409 });
    expect(await register("u", '"string"')).toEqual({ status: 200, body: { id: 3 } });
    expect(await ask("GET", "/config")).toEqual({
      status: 200,
      body: { compatibilityLevel: "NONE" },
    });
    expect(await ask("GET", "/subjects?deleted=true")).toEqual({
      status: 200,
      body: ["s", "t", "u"],
    });
    expect(await ask("GET", "/subjects")).toEqual({ status: 200, body: ["s", "u"] });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

async function restart(running: SchemaRegistryServer, file: string): Promise<SchemaRegistryServer> {
  await running.close();
  return startSchemaRegistry({ file });
}

test("the kafkajs client registers, finds and reads", async () => {
  const client = new SchemaRegistry({ host: server.url });
  const subject = "ad_topic-value";
  const { id } = await client.register({ type: SchemaType.AVRO, schema: v1 }, { subject });
  expect(await client.register({ type: SchemaType.AVRO, schema: v1 }, { subject })).toEqual({ id });
  expect(await client.getLatestSchemaId(subject)).toBe(id);
  expect(await client.getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema: v1 })).toBe(
    id,
  );
  expect(await client.getRegistryId(subject, 1)).toBe(id);
  const other = new SchemaRegistry({ host: server.url });
  expect(await other.decode(await client.encode(id, { a: 7 }))).toEqual({ a: 7 });
  expect(await ask("GET", `/config/${subject}`)).toEqual({
    status: 200,
    body: { compatibilityLevel: "BACKWARD" },
  });
  await expect(
    client.register({ type: SchemaType.AVRO, schema: breaking }, { subject }),
  ).rejects.toThrow("has no default");
});
