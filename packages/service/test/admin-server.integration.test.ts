import { request } from "node:http";
import { connect } from "node:net";
import { Counter, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { openAdminServer } from "../src/admin-server.ts";
import { processMetrics } from "../src/process-metrics.ts";
import { Secret } from "../src/secret.ts";
import type { AdminServer, AdminServerOptions } from "../src/admin-server.ts";

const token = "a-token-of-at-least-32-characters";

function open(options: Partial<AdminServerOptions> = {}): Promise<AdminServer> {
  const metrics = new Registry();
  return openAdminServer({ host: "127.0.0.1", port: 0, metrics, ready: () => true, ...options });
}

/** `fetch` does not let a caller choose the Host header. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject).end();
  });
}

test("a free port is chosen and named", async () => {
  await using server = await open();
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
});

test("alive from the start, ready when the service says so", async () => {
  let ready = false;
  await using server = await open({ ready: () => ready });
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
  ready = true;
  expect((await fetch(`${server.url}/readyz?verbose`)).status).toBe(200);
});

test("metrics are the registry's", async () => {
  const metrics = new Registry();
  const counter = new Counter({
    name: "adstream_tests_total",
    help: "tests",
    registers: [metrics],
  });
  counter.inc(7);
  await using server = await open({ metrics });
  const response = await fetch(`${server.url}/metrics`);
  expect(response.headers.get("content-type")).toContain("text/plain");
  expect(await response.text()).toContain("adstream_tests_total 7");
});

test.each([
  ["another path", "/../etc/passwd", "GET", 404],
  ["another method", "/livez", "POST", 405],
])("%s is refused", async (_case, path, method, status) => {
  await using server = await open();
  const response = await fetch(server.url + path, { method });
  expect(response.status).toBe(status);
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
});

test("HEAD answers without a body", async () => {
  await using server = await open();
  const response = await fetch(`${server.url}/livez`, { method: "HEAD" });
  expect([response.status, await response.text()]).toEqual([200, ""]);
});

describe("a page that points its own name at this machine", () => {
  test.each([
    ["evil.example", 403],
    ["127.0.0.1.evil.example:80", 403],
    ["localhost:1234", 200],
    ["[::1]:1234", 200],
  ])("as %j gets %d", async (host, status) => {
    await using server = await open();
    expect(await statusFor(`${server.url}/livez`, host)).toBe(status);
  });
});

describe("an endpoint that others reach", () => {
  test.each([
    ["without a token", undefined],
    ["with a short token", new Secret("short")],
  ])("is not opened %s", async (_case, secret) => {
    await expect(open({ host: "0.0.0.0", token: secret })).rejects.toMatchObject({
      name: "ConfigError",
      problems: [expect.stringMatching(/^HTTP_TOKEN: HTTP_HOST 0\.0\.0\.0 /)],
    });
  });

  test("shows health to everybody and metrics to the bearer of the token", async () => {
    await using server = await open({ host: "0.0.0.0", token: new Secret(token) });
    const url = server.url.replace("0.0.0.0", "127.0.0.1");
    const scrape = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${url}/metrics`, { headers })).status;
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(await scrape({})).toBe(401);
    expect(await scrape({ authorization: `Bearer ${token}x` })).toBe(401);
    expect(await scrape({ authorization: `Basic ${token}` })).toBe(401);
    expect(await scrape({ authorization: `Bearer ${token}` })).toBe(200);
  });
});

test("an address that is taken is named with its variables", async () => {
  await using server = await open();
  const port = Number(new URL(server.url).port);
  await expect(open({ port })).rejects.toMatchObject({
    problems: [`HTTP_HOST 127.0.0.1 with HTTP_PORT ${port} cannot be listened on: EADDRINUSE`],
  });
});

test("closing does not wait for a client that says nothing", async () => {
  const server = await open();
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  const cut = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  await server[Symbol.asyncDispose]();
  await cut;
});

test("who asks more than 100 times a second is told so, without harm to the others' answers", async () => {
  await using server = await open();
  const answers: number[] = [];
  for (let asked = 0; asked < 300; asked += 20) {
    const asking = Array.from({ length: 20 }, () => fetch(`${server.url}/livez`));
    for (const { status } of await Promise.all(asking)) answers.push(status);
  }
  expect(new Set(answers)).toEqual(new Set([200, 429]));
});

test("the delay of the event loop is measured from scrape to scrape", async () => {
  const registry = new Registry();
  using _metrics = processMetrics(registry);
  const maximum = async (): Promise<number> => {
    const text = await registry.metrics();
    return Number(/adstream_event_loop_delay_seconds\{quantile="1"\} (\S+)/.exec(text)?.[1]);
  };
  // The histogram's own timer has to tick between the scrape and the block, and after it.
  await maximum();
  await new Promise((resolve) => setTimeout(resolve, 30));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const blocked = await maximum();
  expect(blocked).toBeGreaterThan(0.15);
  expect(blocked).toBeLessThan(5);
  expect(await registry.metrics()).toMatch(
    /adstream_process_memory_bytes\{kind="resident"\} \d{7,}/,
  );
  expect(await registry.metrics()).toMatch(/adstream_process_cpu_seconds_total 0*\d*\.?\d+/);
});
