import { StreamError } from "@adstream/engine/errors";

import type { EventProjection } from "./event-projection.ts";
import { projectedFields, resolveField } from "./avro-fields.ts";
import type { FieldUse } from "./field-use.ts";
import { fuseFields } from "./fuse-fields.ts";
import { parseAvroSchema, type AvroRecord, type AvroType } from "./avro-schema.ts";
import { createSkippers, type Skipper } from "./avro-skip.ts";
import { noMore, nullField } from "./usual-fields.ts";
import type { ColumnReader, EventReader, FieldReader } from "./value-rows.ts";

/**
 * Composes the reader of events written with one schema: a small reader per field, in the writer's order. Projected
 * fields follow Avro's resolution (promotions, unions with null, defaults); others are skipped by their type.
 *
 * In a union, null rejects the record for its key size, its time range or a number that is not finite; another
 * branch that cannot be read rejects it as "unreadable schema".
 *
 * @throws {StreamError} SCHEMA_UNREADABLE naming the field and the schema
 */
export function composeReader(writerSchemaJson: string, projection: EventProjection): EventReader {
  const type = parseAvroSchema(writerSchemaJson);
  if (type.kind !== "record") throw unreadable(`schema is a ${type.kind}, not a record`);
  const projected = projectedFields(projection);
  const skipper = createSkippers();
  const fields = type.fields.map((field) => {
    const use = projected.get(field.name);
    if (use === undefined) return skipping(field.type, skipper(field.type));
    const reader = resolveField(field.type, use);
    if (reader !== undefined) return reader;
    throw unreadable(`field ${field.name} of schema ${type.name} is not ${use.due}`);
  });
  return fuseFields([...fields, noMore, ...missingFields(type, projected)], true);
}

/** Fills in defaults for what the writer lacks. */
function missingFields(
  { name, fields }: AvroRecord,
  projected: ReadonlyMap<string, FieldUse>,
): FieldReader[] {
  const written = new Set(fields.map((field) => field.name));
  return [...projected]
    .filter(([field]) => !written.has(field))
    .map(([field, use]) => {
      if (use.whenMissing !== undefined) return { row: use.whenMissing };
      throw unreadable(`schema ${name} has no field ${field}, and there is no default for it`);
    });
}

function skipping(type: AvroType, skip: Skipper): FieldReader {
  const row: ColumnReader = (cursor) => {
    skip(cursor);
    return 0;
  };
  const mayBeNull = type.kind === "union" && type.branches[0]?.kind === "null";
  return mayBeNull ? nullField(row) : { row };
}

function unreadable(message: string): StreamError {
  return new StreamError("SCHEMA_UNREADABLE", "dead-letter", message);
}
