import type { AvroType } from "./avro-schema.ts";
import type { ColumnReader, FieldReader } from "./value-rows.ts";

/** How a projected field is read, whatever its writer made of it. */
export type FieldUse = {
  /** What the writer's type has to be, for messages. */
  readonly due: string;
  /** @returns undefined when the type does not resolve to what is due; never called with unions */
  readerOf(type: AvroType): FieldReader | undefined;
  /** In place of a null in a union. */
  readonly whenNull: ColumnReader;
  /** In place of a field that the writer lacks. */
  readonly whenMissing: ColumnReader | undefined;
};
