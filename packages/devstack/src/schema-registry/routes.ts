import {
  compatibilityLevels,
  isCompatibilityLevel,
  type CompatibilityLevel,
} from "./compatibility.ts";
import { RegistryError, schemaNotFound } from "./registry-error.ts";
import {
  checkAgainst,
  deleteSubject,
  deleteVersion,
  findVersion,
  liveVersions,
  parseSchema,
  registerSchema,
  requireSchema,
  requireVersion,
  requireVersions,
  versionsOfSchema,
  type RegistryState,
  type SubjectVersion,
} from "./subjects.ts";

/** A request, parsed: `subject`, `version` and `id` are parts of its path. */
export type RegistryRequest = {
  readonly subject: string;
  readonly version: string;
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
};

type Handler = (state: RegistryState, request: RegistryRequest) => unknown;

/** `METHOD /path` with `:subject`, `:version`, `:id` as holes; the first that fits answers. */
const routes: Readonly<Record<string, Handler>> = {
  "GET /": () => ({}),
  "GET /subjects": (state, { query }) => {
    const prefix = query.get("subjectPrefix") ?? "";
    const wanted = [...state.subjects.keys()].filter((subject) => subject.startsWith(prefix));
    return deletedToo(query)
      ? wanted
      : wanted.filter((subject) => liveVersions(state, subject).length > 0);
  },
  "POST /subjects/:subject": lookUp,
  "DELETE /subjects/:subject": (state, { subject, query }) =>
    deleteSubject(state, subject, query.get("permanent") === "true"),
  "GET /subjects/:subject/versions": (state, { subject, query }) =>
    requireVersions(state, subject, deletedToo(query)).map(({ version }) => version),
  "POST /subjects/:subject/versions": (state, { subject, body }) => ({
    id: registerSchema(state, subject, schemaOf(body)).id,
  }),
  "GET /subjects/:subject/versions/:version": (state, { subject, version, query }) =>
    describe(requireVersion(state, subject, version, deletedToo(query))),
  "GET /subjects/:subject/versions/:version/schema": (state, { subject, version, query }) =>
    JSON.parse(requireVersion(state, subject, version, deletedToo(query)).schema.text),
  "GET /subjects/:subject/versions/:version/referencedby": (state, { subject, version }) => {
    requireVersion(state, subject, version);
    return [];
  },
  "DELETE /subjects/:subject/versions/:version": (state, { subject, version, query }) =>
    deleteVersion(state, subject, version, query.get("permanent") === "true"),
  "GET /schemas": (state) =>
    [...state.subjects.values()]
      .flat()
      .filter(({ deleted }) => !deleted)
      .map(describe),
  "GET /schemas/types": () => ["AVRO"],
  "GET /schemas/ids/:id": (state, { id }) => ({ schema: requireSchema(state, id).text }),
  "GET /schemas/ids/:id/schema": (state, { id }) => JSON.parse(requireSchema(state, id).text),
  "GET /schemas/ids/:id/subjects": (state, { id }) =>
    versionsOfSchema(state, requireSchema(state, id)).map(({ subject }) => subject),
  "GET /schemas/ids/:id/versions": (state, { id }) =>
    versionsOfSchema(state, requireSchema(state, id)).map(({ subject, version }) => ({
      subject,
      version,
    })),
  "GET /config": (state) => ({ compatibilityLevel: state.globalLevel }),
  "PUT /config": (state, { body }) => {
    state.globalLevel = levelOf(body);
    return { compatibility: state.globalLevel };
  },
  "DELETE /config": (state) => {
    state.globalLevel = "BACKWARD";
    return { compatibilityLevel: state.globalLevel };
  },
  "GET /config/:subject": (state, { subject, query }) => {
    const fallback = query.get("defaultToGlobal") === "true" ? state.globalLevel : undefined;
    return { compatibilityLevel: state.levels.get(subject) ?? fallback ?? noLevel(subject) };
  },
  "PUT /config/:subject": (state, { subject, body }) => {
    const level = levelOf(body);
    state.levels.set(subject, level);
    return { compatibility: level };
  },
  "DELETE /config/:subject": (state, { subject }) => {
    const level = state.levels.get(subject) ?? noLevel(subject);
    state.levels.delete(subject);
    return { compatibilityLevel: level };
  },
  "POST /compatibility/subjects/:subject/versions": (state, request) =>
    compare(state, request, requireVersions(state, request.subject)),
  "POST /compatibility/subjects/:subject/versions/:version": (state, request) =>
    compare(state, request, [requireVersion(state, request.subject, request.version)]),
  "GET /mode": () => ({ mode: "READWRITE" }),
  "GET /mode/:subject": () => ({ mode: "READWRITE" }),
  "GET /contexts": () => ["."],
};

const compiled = Object.entries(routes).map(([route, handler]) => {
  const [method = "", path = ""] = route.split(" ");
  return { method, segments: path.split("/"), handler };
});

/** Answers a request. @throws RegistryError, 404 and 405 for routes that do not exist included */
export function route(
  state: RegistryState,
  method: string,
  url: URL,
  body: Readonly<Record<string, unknown>>,
): unknown {
  const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, "") : url.pathname;
  const segments = path.split("/").map(decodeURIComponent);
  const fitting = compiled.filter(({ segments: form }) => fits(form, segments));
  const found = fitting.find((candidate) => candidate.method === method);
  if (found === undefined) {
    if (fitting.length === 0) throw new RegistryError(404, "HTTP 404 Not Found");
    throw new RegistryError(405, "HTTP 405 Method Not Allowed");
  }
  const part = (name: string): string => segments[found.segments.indexOf(name)] ?? "";
  return found.handler(state, {
    subject: part(":subject"),
    version: part(":version"),
    id: part(":id"),
    query: url.searchParams,
    body,
  });
}

function fits(form: readonly string[], segments: readonly string[]): boolean {
  return (
    form.length === segments.length &&
    form.every(
      (segment, at) => segment === segments[at] || (segment.startsWith(":") && segments[at] !== ""),
    )
  );
}

function lookUp(state: RegistryState, { subject, body, query }: RegistryRequest): unknown {
  const text = schemaOf(body);
  parseSchema(text);
  requireVersions(state, subject, deletedToo(query));
  const found = findVersion(state, subject, text);
  if (found === undefined) throw schemaNotFound();
  return describe(found);
}

function compare(
  state: RegistryState,
  { subject, body, query }: RegistryRequest,
  versions: readonly SubjectVersion[],
): unknown {
  const problems = checkAgainst(state, subject, parseSchema(schemaOf(body)), versions);
  return {
    is_compatible: problems.length === 0,
    ...(query.get("verbose") === "true" && { messages: problems }),
  };
}

function describe({ subject, version, schema }: SubjectVersion): unknown {
  return { subject, version, id: schema.id, schema: schema.text };
}

function deletedToo(query: URLSearchParams): boolean {
  return query.get("deleted")?.toLowerCase() === "true";
}

function schemaOf(body: Readonly<Record<string, unknown>>): string {
  const { schema, schemaType = "AVRO", references } = body;
  if (typeof schema !== "string" || schema === "") throw new RegistryError(42201, "Empty schema");
  if (schemaType !== "AVRO")
    throw new RegistryError(42201, `schema type ${String(schemaType)} is not supported`);
  if (Array.isArray(references) && references.length > 0) {
    throw new RegistryError(42201, "schema references are not supported");
  }
  return schema;
}

function levelOf(body: Readonly<Record<string, unknown>>): CompatibilityLevel {
  const level = body["compatibility"];
  if (isCompatibilityLevel(level)) return level;
  throw new RegistryError(
    42203,
    `Invalid compatibility level. Valid values are ${compatibilityLevels.join(", ")}`,
  );
}

function noLevel(subject: string): never {
  throw new RegistryError(
    40408,
    `Subject '${subject}' does not have subject-level compatibility configured`,
  );
}
