import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { ConfigError } from "./config-error.ts";
import { minTokenLength } from "./environment-rules.ts";
import { isLoopback } from "./loopback.ts";
import { requestLimit } from "./request-limit.ts";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import type { Secret } from "./secret.ts";

export type AdminServerOptions = {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Needed for `/metrics`; must be set where others than this machine reach `host`. */
  readonly token?: Secret | undefined;
  readonly metrics: Registry;
  /** Whether `/readyz` says yes. */
  readonly ready: () => boolean;
};

export type AdminServer = AsyncDisposable & {
  /** With the port that was chosen. */
  readonly url: string;
};

const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
/** Health checks and one or two scrapers; beyond that somebody is hammering. */
const maxConnections = 100;
const requestsPerSecond = 100;

/**
 * Serves `/livez`, `/readyz` and `/metrics`.
 *
 * @throws {ConfigError} `host` is open to others and there is no token of 32 characters, or the address is not free
 */
export async function openAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { host, port, token } = options;
  const tokenLength = token?.reveal().length ?? 0;
  if (!isLoopback(host) && tokenLength < minTokenLength) {
    throw new ConfigError([
      `HTTP_TOKEN: HTTP_HOST ${host} is reachable by others, so at least ${minTokenLength} characters are needed`,
    ]);
  }
  const mayAsk = requestLimit(requestsPerSecond);
  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => {
      const allowed = mayAsk(request.socket.remoteAddress ?? "", performance.now());
      void answer(request, response, allowed ? route(request, options) : tooMany);
    },
  );
  server.maxConnections = maxConnections;
  await listen(server, host, port);
  const address = server.address();
  const chosen = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${chosen}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen({ host, port });
  try {
    await once(server, "listening");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ConfigError([
      `HTTP_HOST ${host} with HTTP_PORT ${port} cannot be listened on: ${code}`,
    ]);
  }
}

type Answer = { readonly status: number; readonly body: string; readonly type?: string };

const tooMany = Promise.resolve<Answer>({
  status: 429,
  body: `more than ${requestsPerSecond} requests a second\n`,
});

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  answered: Promise<Answer>,
): Promise<void> {
  const { status, body, type = "text/plain; charset=utf-8" } = await answered;
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'",
    "x-content-type-options": "nosniff",
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function route(request: IncomingMessage, options: AdminServerOptions): Promise<Answer> {
  // A page elsewhere may point its own name at 127.0.0.1 and read what this machine serves: names are checked.
  if (isLoopback(options.host) && !isLoopback(hostName(request))) {
    return { status: 403, body: "this host name is not served here\n" };
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: 405, body: "only GET\n" };
  }
  switch ((request.url ?? "").split("?", 1)[0]) {
    case "/livez":
      return { status: 200, body: "alive\n" };
    case "/readyz":
      return options.ready()
        ? { status: 200, body: "ready\n" }
        : { status: 503, body: "not yet\n" };
    case "/metrics":
      return await scrape(request, options);
    default:
      return { status: 404, body: "there are /livez, /readyz and /metrics\n" };
  }
}

async function scrape(request: IncomingMessage, options: AdminServerOptions): Promise<Answer> {
  if (options.token !== undefined && !authorized(request, options.token)) {
    return { status: 401, body: "the HTTP_TOKEN is needed as a bearer token\n" };
  }
  try {
    const body = await options.metrics.metrics();
    return { status: 200, body, type: options.metrics.contentType };
  } catch {
    return { status: 503, body: "the metrics cannot be read\n" };
  }
}

function hostName(request: IncomingMessage): string {
  return (request.headers.host ?? "").replace(/:\d*$/, "");
}

function authorized(request: IncomingMessage, token: Secret): boolean {
  const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
  // Digests have one length, which the comparison needs and which tells nothing about the token's.
  return timingSafeEqual(digest(given), digest(token.reveal()));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
