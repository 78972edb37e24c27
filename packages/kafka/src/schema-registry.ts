import { StreamError } from "@adstream/engine/errors";
import { SchemaRegistry } from "@kafkajs/confluent-schema-registry";

import type { Log } from "./kafkajs-log.ts";
import { leastRecent } from "./least-recent.ts";

/** What the registry knows about a schema id. */
export type RegisteredSchema =
  | { readonly kind: "schema"; readonly text: string }
  | { readonly kind: "unknown" };

export type SchemaRegistryClient = {
  /**
   * The schema as its writer registered it. Callers at the same time share one request; an answer is kept for ever, an
   * "unknown" for 1 s, then 2, 4, up to 30 s, since a schema may be registered a little after its first record.
   * @throws {StreamError} SERVER_UNAVAILABLE (retry), NOT_AUTHORIZED
   */
  fetchSchema(id: number): Promise<RegisteredSchema>;
  /**
   * Registers the schema, or finds that it is. The subject's compatibility stays as it is.
   * @returns its id
   * @throws {StreamError} SCHEMA_INCOMPATIBLE with the registry's words; SERVER_UNAVAILABLE (retry), NOT_AUTHORIZED
   */
  register(subject: string, schemaText: string): Promise<number>;
};

export type SchemaRegistryOptions = {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly log: Log;
  /** Of one call, the library's own three attempts included. */
  readonly timeoutMs?: number;
  readonly nowMs?: () => number;
};

const keptSchemas = 1_000;
const unknownForMs = { first: 1_000, longest: 30_000 } as const;
/** Ids are Java ints; what is larger in a frame was never given out. */
const largestId = 2 ** 31 - 1;
const clientId = "adstream";

type Unknown = { readonly forMs: number; readonly untilMs: number };

/**
 * Only the HTTP calls of the library are used: its `decode` builds a resolver per message, and its `register` sets the
 * subject's compatibility as a side effect, or refuses a subject that has another one. Its settings for retries are
 * global to the process and stay as they are.
 */
export function openSchemaRegistry(options: SchemaRegistryOptions): SchemaRegistryClient {
  const { log, nowMs = () => performance.now() } = options;
  const calls = registryCalls(options);
  const schemas = leastRecent<number, RegisteredSchema>(keptSchemas);
  const unknowns = leastRecent<number, Unknown>(keptSchemas);
  const asking = new Map<number, Promise<RegisteredSchema>>();

  async function ask(id: number): Promise<RegisteredSchema> {
    const text = await calls.find(id);
    if (text !== undefined) {
      const schema = { kind: "schema", text } as const;
      schemas.set(id, schema);
      return schema;
    }
    const forMs = Math.min(unknownForMs.longest, (unknowns.get(id)?.forMs ?? 500) * 2);
    unknowns.set(id, { forMs, untilMs: nowMs() + forMs });
    log.debug({ schemaId: id, forMs }, "schema id not registered");
    return { kind: "unknown" };
  }

  return {
    fetchSchema(id) {
      const known = schemas.get(id);
      if (known !== undefined) return Promise.resolve(known);
      const unknown = id > largestId || (unknowns.get(id)?.untilMs ?? -Infinity) > nowMs();
      if (unknown) return Promise.resolve({ kind: "unknown" });
      const answer = asking.get(id) ?? ask(id).finally(() => asking.delete(id));
      asking.set(id, answer);
      return answer;
    },
    register: (subject, schemaText) => calls.register(subject, schemaText),
  };
}

type RegistryCalls = {
  /** undefined: not registered. */
  find(id: number): Promise<string | undefined>;
  register(subject: string, schemaText: string): Promise<number>;
};

function registryCalls({
  url,
  username,
  password,
  timeoutMs = 3_000,
}: SchemaRegistryOptions): RegistryCalls {
  const { host, auth } = splitCredentials(url, username, password);
  const registry = new SchemaRegistry({ host, clientId, ...(auth === undefined ? {} : { auth }) });
  const { Schema, Subject } = registry["api"];
  const call = (request: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> =>
    withinTimeout(request, timeoutMs, host);
  return {
    async find(id) {
      const found = await call((signal) => Schema.find({ id, signal })).catch(
        async (error: unknown) => {
          if (statusOf(error) !== 404) throw unavailable(error, host);
          // A wrong path in the URL gives 404 as well, and must not turn a whole topic into dead letters.
          await call((signal) => Subject.all({ signal })).catch((other: unknown) => {
            throw unavailable(other, host);
          });
          return undefined;
        },
      );
      return found === undefined ? undefined : schemaText(found, id, host);
    },
    async register(subject, schema) {
      const post = (): Promise<unknown> =>
        call((signal) => Subject.register({ subject, body: { schema }, signal }));
      // To some registries two services that register at once are a conflict. What is refused is refused again.
      const registered = await post()
        .catch((error: unknown) => {
          if (statusOf(error) === 409) return post();
          throw error;
        })
        .catch((error: unknown) => {
          throw refusal(error, subject, host);
        });
      const id = bodyField(registered, "id");
      if (typeof id === "number") return id;
      throw new StreamError("SERVER_UNAVAILABLE", "retry", `${host} gave no id for ${subject}`);
    },
  };
}

/** Neither the library's client nor its retries have an end of their own. */
async function withinTimeout(
  request: (signal: AbortSignal) => Promise<unknown>,
  timeoutMs: number,
  host: string,
): Promise<unknown> {
  const stop = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const text = `the schema registry at ${host} (SCHEMA_REGISTRY_URL) gave no answer within ${timeoutMs} ms`;
    reject(new StreamError("SERVER_UNAVAILABLE", "retry", text));
    stop.abort();
  }, timeoutMs);
  try {
    const response = await Promise.race([request(stop.signal), expired]);
    return response;
  } finally {
    clearTimeout(timer);
  }
}

function schemaText(response: unknown, id: number, host: string): string {
  const text = bodyField(response, "schema");
  if (typeof text === "string") return text;
  throw new StreamError("SERVER_UNAVAILABLE", "retry", `${host} gave no text for schema ${id}`);
}

/** Field of the JSON body of a response of the library's client. */
function bodyField(response: unknown, name: string): unknown {
  const read: unknown = property(response, "data");
  const body: unknown = typeof read === "function" ? read.call(response) : undefined;
  return property(body, name);
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function statusOf(error: unknown): number | undefined {
  const status = property(error, "status");
  return typeof status === "number" ? status : undefined;
}

function refusal(error: unknown, subject: string, host: string): StreamError {
  const status = statusOf(error);
  if (status !== 409 && status !== 422) return unavailable(error, host);
  const text = `the schema registry refuses the schema of ${subject}: ${registryWords(error)}`;
  return new StreamError("SCHEMA_INCOMPATIBLE", "stop", text);
}

/** The causes are left out: they hold the request, and with it the credentials. */
function unavailable(error: unknown, host: string): StreamError {
  if (error instanceof StreamError) return error;
  const status = statusOf(error);
  if (status === 401 || status === 403) {
    const text = `the schema registry at ${host} (SCHEMA_REGISTRY_URL) refuses access (${status})`;
    return new StreamError("NOT_AUTHORIZED", "stop", text);
  }
  const text = `the schema registry at ${host} (SCHEMA_REGISTRY_URL) does not answer as one: ${registryWords(error)}`;
  return new StreamError("SERVER_UNAVAILABLE", "retry", text);
}

function registryWords(error: unknown): string {
  const text = error instanceof Error ? error.message : "unknown failure";
  return text.replace(`${clientId} - `, "").slice(0, 500);
}

/** Credentials within the URL work, but must not appear where the URL does. */
function splitCredentials(
  url: string,
  username: string | undefined,
  password: string | undefined,
): { host: string; auth: { username: string; password: string } | undefined } {
  const parsed = new URL(url);
  const user = username ?? decodeURIComponent(parsed.username);
  const secret = password ?? decodeURIComponent(parsed.password);
  parsed.username = "";
  parsed.password = "";
  const host = parsed.href.replace(/\/$/, "");
  return { host, auth: user === "" ? undefined : { username: user, password: secret } };
}
