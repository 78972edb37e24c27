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
