import { rejectCode } from "@adstream/engine/columns";
import { StreamError } from "@adstream/engine/errors";

import type { ColumnReader, EventProjection } from "./event-projection.ts";
import { projectedFields, resolveField, type FieldUse } from "./avro-fields.ts";
import { parseAvroSchema, type AvroRecord } from "./avro-schema.ts";
import { createSkippers, type Skipper } from "./avro-skip.ts";
import type { ByteCursor } from "./byte-cursor.ts";

const trailingBytes = rejectCode("trailing bytes");

/**
 * Composes the reader of events written with one schema: a small reader per field, in the writer's order. Projected
 * fields follow Avro's resolution (promotions, unions with null, defaults); others are skipped by their type.
 *
 * In a union, null rejects the record for its key size, its time range or a number that is not finite; another
 * branch that cannot be read rejects it as "unreadable schema".
 *
 * @throws {StreamError} SCHEMA_UNREADABLE naming the field and the schema
 */
export function composeReader(writerSchemaJson: string, projection: EventProjection): ColumnReader {
  const type = parseAvroSchema(writerSchemaJson);
  if (type.kind !== "record") throw unreadable(`schema is a ${type.kind}, not a record`);
  const projected = projectedFields(projection);
  const skipper = createSkippers();
  const fields = type.fields.map((field) => {
    const use = projected.get(field.name);
    if (use === undefined) return skipping(skipper(field.type));
    const reader = resolveField(field.type, use);
    if (reader !== undefined) return reader;
    throw unreadable(`field ${field.name} of schema ${type.name} is not ${use.due}`);
  });
  return readRecord([...missingFields(type, projected), ...fields]);
}

/** Fills in defaults for what the writer lacks. */
function missingFields(
  { name, fields }: AvroRecord,
  projected: ReadonlyMap<string, FieldUse>,
): ColumnReader[] {
  const written = new Set(fields.map((field) => field.name));
  return [...projected]
    .filter(([field]) => !written.has(field))
    .map(([field, use]) => {
      if (use.whenMissing !== undefined) return use.whenMissing;
      throw unreadable(`schema ${name} has no field ${field}, and there is no default for it`);
    });
}

function readRecord(fields: readonly ColumnReader[]): ColumnReader {
  const readAll = readInTurn(fields);
  return (cursor, columns, row) => {
    const rejected = readAll(cursor, columns, row);
    // What a faulty cursor returns may look out of range or left over: the fault comes first.
    return cursor.fault === 0 ? rejected : cursor.fault;
  };
}

/**
 * Reads field after field up to the first rejection; what is left then must be nothing.
 *
 * A call of its own for each of eight instead of a loop: as long as a process sees events of one schema, each always
 * calls the same function, which the compiler puts in its place. A fifth faster than the loop.
 */
function readInTurn(fields: readonly ColumnReader[]): ColumnReader {
  const [a = pass, b = pass, c = pass, d = pass, e = pass, f = pass, g = pass, h = pass] = fields;
  const rest = fields.length > 8 ? readInTurn(fields.slice(8)) : expectEnd;
  return (cursor, columns, row) =>
    a(cursor, columns, row) ||
    b(cursor, columns, row) ||
    c(cursor, columns, row) ||
    d(cursor, columns, row) ||
    e(cursor, columns, row) ||
    f(cursor, columns, row) ||
    g(cursor, columns, row) ||
    h(cursor, columns, row) ||
    rest(cursor, columns, row);
}

function pass(): number {
  return 0;
}

function expectEnd(cursor: ByteCursor): number {
  return cursor.position === cursor.end ? 0 : trailingBytes;
}

function skipping(skip: Skipper): ColumnReader {
  return (cursor) => {
    skip(cursor);
    return 0;
  };
}

function unreadable(message: string): StreamError {
  return new StreamError("SCHEMA_UNREADABLE", "dead-letter", message);
}
