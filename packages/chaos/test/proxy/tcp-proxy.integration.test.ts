import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { listen } from "@adstream/devstack/listen";
import { expect, test } from "vitest";
import { openTcpProxy, type TcpProxy } from "../../src/proxy/tcp-proxy.ts";

type Echo = AsyncDisposable & { readonly address: string; readonly received: () => string };

/** Sends back what it gets. */
async function openEcho(): Promise<Echo> {
  let received = "";
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received += chunk.toString();
      socket.write(chunk);
    });
  });
  const { port } = await listen(server, "127.0.0.1", 0);
  return {
    address: `127.0.0.1:${port}`,
    received: () => received,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

type Client = Disposable & {
  readonly socket: Socket;
  readonly text: () => string;
  /** "end", or the code of the error. */
  readonly over: Promise<string>;
};

async function openClient({ address }: TcpProxy): Promise<Client> {
  let text = "";
  const socket = connect(Number(address.split(":")[1]), "127.0.0.1");
  socket.on("data", (chunk) => (text += chunk.toString()));
  const { promise: over, resolve } = Promise.withResolvers<string>();
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  socket.on("close", () => resolve("end"));
  await Promise.race([once(socket, "connect"), over]);
  return { socket, text: () => text, over, [Symbol.dispose]: () => void socket.destroy() };
}

test("without a fault bytes pass both ways, and an end passes too", async () => {
  await using server = await openEcho();
  await using proxy = await openTcpProxy({ target: server.address });
  using client = await openClient(proxy);
  client.socket.write("hello");
  await expect.poll(client.text).toBe("hello");
  expect(proxy.connections).toBe(1);
  client.socket.end();
  expect(await client.over).toBe("end");
  await expect.poll(() => proxy.connections).toBe(0);
});

test.each([
  ["close", "end"],
  ["reset", "ECONNRESET"],
] as const)("a connection that ends by %s ends so for its client", async (ending, seen) => {
  await using server = await openEcho();
  await using proxy = await openTcpProxy({ target: server.address });
  using client = await openClient(proxy);
  client.socket.write("hello");
  await expect.poll(client.text).toBe("hello");
  expect(proxy.cut(ending)).toBe(1);
  expect(await client.over).toBe(seen);
});

test("a fault lets exactly so many bytes pass, on the connection and in the direction it names", async () => {
  await using server = await openEcho();
  await using proxy = await openTcpProxy({ target: server.address });
  using client = await openClient(proxy);
  const fault = proxy.add({ direction: "request", action: { passBytes: 7, ending: "reset" } });
  client.socket.write("0123456789");
  expect(await client.over).toBe("ECONNRESET");
  expect(server.received()).toBe("0123456");
  expect(fault.hits).toBe(1);
  using next = await openClient(proxy);
  next.socket.write("after");
  await expect.poll(next.text).toBe("after");
});

test("what passes before a reset arrives, however late this process comes to its sockets", async () => {
  await using server = await openEcho();
  const stalling = (): void => {
    const end = performance.now() + 30;
    while (performance.now() < end);
  };
  await using proxy = await openTcpProxy({
    target: server.address,
    pieces: () => async (_direction, bytes) => {
      setImmediate(stalling);
      return [{ bytes }];
    },
  });
  proxy.add({ direction: "request", action: { passBytes: 7, ending: "reset" } });
  using client = await openClient(proxy);
  client.socket.write("0123456789");
  expect(await client.over).toBe("ECONNRESET");
  expect(server.received()).toBe("0123456");
});

test("a silent connection is neither answered nor closed, whoever goes away", async () => {
  await using server = await openEcho();
  await using proxy = await openTcpProxy({ target: server.address });
  using client = await openClient(proxy);
  client.socket.write("a");
  await expect.poll(client.text).toBe("a");
  proxy.cut("silence");
  client.socket.write("b");
  const outcome = Promise.race([
    client.over,
    new Promise((resolve) => setTimeout(resolve, 200, "open")),
  ]);
  expect(await outcome).toBe("open");
  expect([client.text(), server.received()]).toEqual(["a", "a"]);
});

test("latency and throughput are what conditions say, and end with them", async () => {
  await using server = await openEcho();
  await using proxy = await openTcpProxy({ target: server.address });
  using client = await openClient(proxy);
  const echo = async (text: string): Promise<number> => {
    const [startedAt, before] = [performance.now(), client.text()];
    client.socket.write(text);
    await expect.poll(client.text, { interval: 5, timeout: 5_000 }).toBe(before + text);
    return performance.now() - startedAt;
  };
  proxy.set({ latencyMs: 100 });
  expect(await echo("late")).toBeGreaterThanOrEqual(195);
  proxy.set({ bytesPerSecond: 1_000 });
  expect(await echo("x".repeat(300))).toBeGreaterThanOrEqual(240);
  proxy.set({ latencyMs: 4_000, bytesPerSecond: 1 });
  proxy.heal();
  expect(await echo("soon")).toBeLessThan(2_000);
});

test("a refusing proxy resets who comes, and keeps who is there", async () => {
  await using server = await openEcho();
  await using proxy = await openTcpProxy({ target: server.address });
  using client = await openClient(proxy);
  proxy.set({ refusing: true });
  using refused = await openClient(proxy);
  expect(await refused.over).toBe("ECONNRESET");
  client.socket.write("still here");
  await expect.poll(client.text).toBe("still here");
});
