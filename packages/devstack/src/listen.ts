import type { Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";

/** Listens, and says where. @throws Error EADDRINUSE when the port is taken */
export function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address);
      else reject(new Error(`no TCP address for ${host}:${port}`));
    });
  });
}

/** An HTTP server that listens. */
export type Listening = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  /** Cuts every connection, whatever is under way on it. */
  close(): Promise<void>;
};

/** Listens for HTTP. @throws Error EADDRINUSE when the port is taken */
export async function listenHttp(
  server: HttpServer,
  host: string,
  port: number,
): Promise<Listening> {
  const address = await listen(server, host, port);
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    url: `http://${host}:${address.port}`,
    port: address.port,
    close,
    [Symbol.asyncDispose]: close,
  };
}
