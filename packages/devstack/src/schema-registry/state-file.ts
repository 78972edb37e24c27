import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { canonicalText } from "./avro-schema.ts";
import { isCompatibilityLevel, type CompatibilityLevel } from "./compatibility.ts";
import { createRegistryState, parseSchema, type RegistryState } from "./subjects.ts";

/** Reads what `saveState` wrote; an empty registry when there is no file. @throws Error when it is damaged */
export function loadState(file: string | undefined): RegistryState {
  const state = createRegistryState();
  if (file === undefined || !existsSync(file)) return state;
  const saved: unknown = JSON.parse(readFileSync(file, "utf8"));
  for (const { id, text } of list(saved, "schemas")) {
    if (typeof id !== "number" || typeof text !== "string")
      throw new Error(`${file}: a schema has no id or text`);
    const schema = { id, text, type: parseSchema(text) };
    state.schemasById.set(id, schema);
    state.schemasByText.set(canonicalText(text), schema);
  }
  for (const { subject, version, schemaId, deleted } of list(saved, "versions")) {
    const schema = state.schemasById.get(Number(schemaId));
    if (typeof subject !== "string" || typeof version !== "number" || schema === undefined) {
      throw new Error(`${file}: a version has no subject, number or schema`);
    }
    const versions = state.subjects.get(subject) ?? [];
    state.subjects.set(subject, [
      ...versions,
      { subject, version, schema, deleted: deleted === true },
    ]);
  }
  for (const { subject, level } of list(saved, "levels")) {
    if (!isCompatibilityLevel(level))
      throw new Error(`${file}: ${String(level)} is no compatibility level`);
    if (typeof subject === "string") state.levels.set(subject, level);
    else state.globalLevel = level;
  }
  return state;
}

/** Writes the whole state, small as it is; renamed when complete, so the file is never half written. */
export function saveState(file: string, state: RegistryState): void {
  const levels: { subject: string | null; level: CompatibilityLevel }[] = [
    { subject: null, level: state.globalLevel },
    ...[...state.levels].map(([subject, level]) => ({ subject, level })),
  ];
  const saved = {
    schemas: [...state.schemasById.values()].map(({ id, text }) => ({ id, text })),
    versions: [...state.subjects.values()]
      .flat()
      .map(({ schema, ...version }) => ({ ...version, schemaId: schema.id })),
    levels,
  };
  writeFileSync(`${file}.new`, JSON.stringify(saved));
  renameSync(`${file}.new`, file);
}

function list(saved: unknown, name: string): Readonly<Record<string, unknown>>[] {
  if (typeof saved !== "object" || saved === null) return [];
  const entries: unknown = Object.entries(saved).find(([key]) => key === name)?.[1];
  if (!Array.isArray(entries)) return [];
  return entries.filter((entry) => typeof entry === "object" && entry !== null);
}
