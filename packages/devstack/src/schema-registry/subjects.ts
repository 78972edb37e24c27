import { canonicalText, parseAvroSchema, type AvroType } from "./avro-schema.ts";
import { incompatibilities, type CompatibilityLevel } from "./compatibility.ts";
import {
  RegistryError,
  schemaNotFound,
  subjectNotFound,
  versionNotFound,
} from "./registry-error.ts";

/** A schema as it was first registered; the same schema has one id under every subject. */
export type RegisteredSchema = {
  readonly id: number;
  readonly text: string;
  readonly type: AvroType;
};

/** One version of a subject. */
export type SubjectVersion = {
  readonly subject: string;
  readonly version: number;
  readonly schema: RegisteredSchema;
  /** Soft-deleted: gone from listings, still found by id. */
  deleted: boolean;
};

/** Everything the registry knows. */
export type RegistryState = {
  readonly schemasByText: Map<string, RegisteredSchema>;
  readonly schemasById: Map<number, RegisteredSchema>;
  /** Versions by subject, oldest first; numbers are never used again. */
  readonly subjects: Map<string, SubjectVersion[]>;
  readonly levels: Map<string, CompatibilityLevel>;
  globalLevel: CompatibilityLevel;
};

/** An empty registry; BACKWARD, as Confluent's. */
export function createRegistryState(): RegistryState {
  return {
    schemasByText: new Map(),
    schemasById: new Map(),
    subjects: new Map(),
    levels: new Map(),
    globalLevel: "BACKWARD",
  };
}

/** Parses what a client sent. @throws RegistryError 42201 with the reason */
export function parseSchema(text: string): AvroType {
  try {
    return parseAvroSchema(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RegistryError(
      42201,
      `Either the input schema or one its references is invalid: ${reason}`,
    );
  }
}

/**
 * Registers a schema and returns its id; the same schema again returns the same id.
 *
 * @throws RegistryError 42201 when it is no schema, 409 when it may not follow the earlier versions
 */
export function registerSchema(
  state: RegistryState,
  subject: string,
  text: string,
): RegisteredSchema {
  const type = parseSchema(text);
  const existing = findVersion(state, subject, text);
  if (existing !== undefined) return existing.schema;
  const problems = checkAgainst(state, subject, type, liveVersions(state, subject));
  if (problems.length > 0) {
    throw new RegistryError(
      409,
      `Schema being registered is incompatible with an earlier schema for subject "${subject}", details: [${problems.join("; ")}]`,
    );
  }
  const schema = internSchema(state, text, type);
  const versions = state.subjects.get(subject) ?? [];
  const version = (versions.at(-1)?.version ?? 0) + 1;
  state.subjects.set(subject, [...versions, { subject, version, schema, deleted: false }]);
  return schema;
}

/** Problems of a schema with these versions under the level of the subject. */
export function checkAgainst(
  state: RegistryState,
  subject: string,
  type: AvroType,
  versions: readonly SubjectVersion[],
): string[] {
  const level = state.levels.get(subject) ?? state.globalLevel;
  return incompatibilities(
    type,
    versions.map(({ schema }) => schema.type),
    level,
  );
}

/** The live version of a subject that holds a schema. */
export function findVersion(
  state: RegistryState,
  subject: string,
  text: string,
): SubjectVersion | undefined {
  const schema = state.schemasByText.get(canonicalText(text));
  return liveVersions(state, subject).find((version) => version.schema === schema);
}

/** Versions that are not deleted, oldest first. */
export function liveVersions(state: RegistryState, subject: string): SubjectVersion[] {
  return (state.subjects.get(subject) ?? []).filter(({ deleted }) => !deleted);
}

/** As `liveVersions`, with deleted ones on request. @throws RegistryError 40401 when there is none */
export function requireVersions(
  state: RegistryState,
  subject: string,
  withDeleted = false,
): SubjectVersion[] {
  const versions = withDeleted ? (state.subjects.get(subject) ?? []) : liveVersions(state, subject);
  if (versions.length === 0) throw subjectNotFound(subject);
  return versions;
}

/** Version by number or `latest`. @throws RegistryError 40401, 40402, or 42202 when it is no version */
export function requireVersion(
  state: RegistryState,
  subject: string,
  wanted: string,
  withDeleted = false,
): SubjectVersion {
  const number = Number(wanted);
  const latest = wanted === "latest" || wanted === "-1";
  if (!latest && !(Number.isInteger(number) && number >= 1 && number < 2 ** 31)) {
    throw new RegistryError(
      42202,
      `The specified version '${wanted}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`,
    );
  }
  const versions = requireVersions(state, subject, withDeleted);
  const found = latest ? versions.at(-1) : versions.find(({ version }) => version === number);
  if (found === undefined) throw versionNotFound(wanted);
  return found;
}

/** Schema by id. @throws RegistryError 40403 */
export function requireSchema(state: RegistryState, id: string): RegisteredSchema {
  const schema = state.schemasById.get(Number(id));
  if (schema === undefined) throw schemaNotFound(Number(id));
  return schema;
}

/** Live versions that hold a schema. */
export function versionsOfSchema(state: RegistryState, schema: RegisteredSchema): SubjectVersion[] {
  return [...state.subjects.values()]
    .flat()
    .filter((version) => version.schema === schema && !version.deleted);
}

/** Deletes a subject. @throws RegistryError 40401, or 40405 when for good what is not deleted softly */
export function deleteSubject(state: RegistryState, subject: string, permanent: boolean): number[] {
  const versions = requireVersions(state, subject, permanent);
  if (permanent && liveVersions(state, subject).length > 0) {
    throw new RegistryError(
      40405,
      `Subject '${subject}' was not deleted first before being permanently deleted`,
    );
  }
  return deleteVersions(state, subject, versions, permanent);
}

/** Deletes a version. @throws RegistryError 40401, 40402, or 40407 when for good what is not deleted softly */
export function deleteVersion(
  state: RegistryState,
  subject: string,
  wanted: string,
  permanent: boolean,
): number {
  const version = requireVersion(state, subject, wanted, permanent);
  if (permanent && !version.deleted) {
    throw new RegistryError(
      40407,
      `Subject '${subject}' Version ${version.version} was not deleted first before being permanently deleted`,
    );
  }
  deleteVersions(state, subject, [version], permanent);
  return version.version;
}

/** A deleted subject forgets its level; its version numbers are remembered until it is deleted for good. */
function deleteVersions(
  state: RegistryState,
  subject: string,
  versions: readonly SubjectVersion[],
  permanent: boolean,
): number[] {
  if (permanent) {
    const kept = (state.subjects.get(subject) ?? []).filter(
      (version) => !versions.includes(version),
    );
    if (kept.length === 0) state.subjects.delete(subject);
    else state.subjects.set(subject, kept);
  }
  for (const version of versions) version.deleted = true;
  if (liveVersions(state, subject).length === 0) state.levels.delete(subject);
  return versions.map(({ version }) => version);
}

function internSchema(state: RegistryState, text: string, type: AvroType): RegisteredSchema {
  const key = canonicalText(text);
  const existing = state.schemasByText.get(key);
  if (existing !== undefined) return existing;
  const schema = { id: state.schemasById.size + 1, text: JSON.stringify(JSON.parse(text)), type };
  state.schemasByText.set(key, schema);
  state.schemasById.set(schema.id, schema);
  return schema;
}
