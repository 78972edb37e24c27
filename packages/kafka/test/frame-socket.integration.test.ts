import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

import { FrameBuffers } from "@adstream/kafka/frame-buffers";
import { frameSocket } from "@adstream/kafka/frame-socket";
import { expect, test } from "vitest";

/** For localhost, of nobody, and trusted by nobody but this test. */
const cert = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUYE7/pP7avop2KGTtbozJNId/B3kwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEwNDMxOVoYDzIxMjYxMDI4
MTA0MzE5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS9luc+IuGh20ihwrdHx0M82OauNLpGx7vS9F1ELqml/cHM8MW9pqCn
rIuelh580oHpDywTTtLtaXnylabOjtreo28wbTAdBgNVHQ4EFgQUWoiWDi9YrRql
5Z/P/qD0p37wZ8cwHwYDVR0jBBgwFoAUWoiWDi9YrRql5Z/P/qD0p37wZ8cwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAPEIkTBSBJegr+uAQpMV63ABNbUBzp5leNwhFyLoOjnxAiBO
qAg7FUtkQ6CwkY/UenrXKph880BJPMwAp1fj7GHOrg==
-----END CERTIFICATE-----`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgy12qUf/pmIALSUYH
Hk2oAztIpfA7XVESHjlZuIdbbhihRANCAAS9luc+IuGh20ihwrdHx0M82OauNLpG
x7vS9F1ELqml/cHM8MW9pqCnrIuelh580oHpDywTTtLtaXnylabOjtre
-----END PRIVATE KEY-----`;

const first = frameOf("first response");
const second = frameOf("second response");

function frameOf(text: string): Buffer {
  const bytes = Buffer.from(`....${text}`);
  bytes.writeInt32BE(bytes.length - 4);
  return bytes;
}

/** Breaks off in the middle of a response to its first client, and serves the next one. */
async function openServer(tls: boolean): Promise<{ server: Server; port: number }> {
  let clients = 0;
  const serve = (socket: Socket): void => {
    clients += 1;
    socket.on("error", () => {});
    if (clients > 1) socket.write(second);
    else socket.end(Buffer.concat([first, second.subarray(0, 9)]));
  };
  const server = tls ? createTlsServer({ cert, key }, serve) : createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { server, port: typeof address === "object" && address !== null ? address.port : 0 };
}

function connect(port: number, tls: boolean, received: Buffer[]): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const ssl = tls ? { ca: [cert] } : false;
  const socket = frameSocket(
    { host: "localhost", port, ssl, onConnect: () => resolve(socket) },
    new FrameBuffers(),
  );
  socket.on("error", reject);
  socket.on("data", (frame: Buffer) => received.push(frame));
  return promise;
}

test.each([
  ["plain", false],
  ["encrypted", true],
])("a response that breaks off on a %s connection is gone with it", async (_, tls) => {
  const { server, port } = await openServer(tls);
  const received: Buffer[] = [];
  const broken = await connect(port, tls, received);
  await new Promise((resolve) => broken.once("close", resolve));
  expect(received).toEqual([first]);
  const next = await connect(port, tls, received);
  await expect.poll(() => received).toEqual([first, second]);
  next.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("an encrypted connection to somebody else's certificate is refused", async () => {
  const { server, port } = await openServer(true);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const socket = frameSocket(
    { host: "localhost", port, ssl: {}, onConnect: () => resolve("open") },
    new FrameBuffers(),
  );
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  expect(await promise).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
  await new Promise((closed) => server.close(closed));
});
