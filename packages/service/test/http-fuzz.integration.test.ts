import { once } from "node:events";
import { connect } from "node:net";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { openAdminServer } from "../src/admin-server.ts";
import { Secret } from "../src/secret.ts";

const requests = Number(process.env["FUZZ_REQUESTS"] ?? 1_000);
const token = "c4n4ry-token-of-at-least-32-characters";

const methods = [
  "GET",
  "GET",
  "GET",
  "GET",
  "HEAD",
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "get",
  "\0",
  "PRI",
];
const targets = [
  "/livez",
  "/readyz",
  "/metrics",
  "/",
  "*",
  "",
  "//evil.example/metrics",
  "http://evil.example/metrics",
  "/../../etc/passwd",
  "/%2e%2e/%00",
  "/metrics?x=%",
  `/${"a".repeat(5_000)}`,
  "/livez#x",
  "/\u202e",
  "\\metrics",
];
const hosts = ["host: 127.0.0.1", "host: localhost:1", "host: [::1]", "host: evil.example", ""];
const headers = [
  "accept: */*",
  "accept-encoding: gzip",
  "cookie: a=b",
  "origin: http://evil.example",
  "host: 127.0.0.1",
  "host: evil.example",
  "host:",
  "host: [::1",
  "host: localhost:99999999",
  "authorization: Bearer",
  `authorization: Bearer ${"x".repeat(4_000)}`,
  "authorization: Basic Og==",
  "content-length: -1",
  "content-length: 99999999999",
  "transfer-encoding: chunked",
  "expect: 100-continue",
  "connection: upgrade\r\nupgrade: websocket",
  "__proto__: x",
  "x: \u0000",
  ": x",
  "no colon",
];
const bodies = ["", "x", "0\r\n\r\n", "ffffffffffffffff\r\nx", "{".repeat(2_000)];

/** What the server says to these bytes until it closes, or a moment has passed. */
async function answerTo(port: number, from: number, bytes: string): Promise<string> {
  // From many addresses of this machine, or the limit of requests a second would be all that answers.
  const localAddress = `127.0.0.${1 + (from % 250)}`;
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {});
  socket.setTimeout(2_000, () => socket.destroy());
  socket.end(bytes);
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

test("no request gets more than a refusal: no 5xx, no metrics without the token, no word of it", async () => {
  const metrics = new Registry();
  await using server = await openAdminServer({
    host: "127.0.0.1",
    port: 0,
    metrics,
    token: new Secret(token),
    ready: () => true,
  });
  const port = Number(new URL(server.url).port);
  let seed = 1;
  const pick = (from: readonly string[]): string => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return from[(seed >>> 8) % from.length] ?? "";
  };
  const statuses = new Map<string, number>();
  for (let sent = 0; sent < requests; sent += 20) {
    const answers = Array.from({ length: 20 }, async (_, index) => {
      const lines = [`${pick(methods)} ${pick(targets)} HTTP/${pick(["1.1", "1.0", "2.0", "x"])}`];
      for (let line = 0; line < 3; line++) lines.push(pick(line === 0 ? hosts : headers));
      const end = pick(["\r\n", "\r\n", "\n"]);
      return answerTo(
        port,
        sent + index,
        `${lines.join(end)}${end}connection: close${end}${end}${pick(bodies)}`,
      );
    });
    for (const answer of await Promise.all(answers)) {
      expect(answer).not.toMatch(/^HTTP\/1\.1 5|c4n4ry|node:internal|^#/m);
      const status = answer.slice(9, 12);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }
  // All of these were met, so the requests got past the parser.
  expect([...statuses.keys()]).toEqual(
    expect.arrayContaining(["200", "400", "401", "403", "404", "405"]),
  );
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
});
