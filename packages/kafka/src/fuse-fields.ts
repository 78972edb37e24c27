import { compileRecords, compileRows, type OddRow } from "./compiled-loops.ts";
import {
  eachRow,
  type EventReader,
  type FieldReader,
  readRow,
  type RowsReader,
} from "./value-rows.ts";

type UsualField = Required<FieldReader>;

/**
 * One reader of all `fields`, which follow each other: where some in a row have a usual form, one loop reads them together,
 * and a row of which one has another form is read by all their `row`. Those in front are read together with the frames.
 *
 * @param framed whether values begin with Confluent's frame
 */
export function fuseFields(fields: readonly FieldReader[], framed: boolean): EventReader {
  const firstOdd = fields.findIndex(({ usual }) => usual === undefined);
  const others = firstOdd < 0 ? fields.length : firstOdd;
  const leading = fields.slice(0, others).filter(isUsual);
  const following = readersOf(fields.slice(others));
  const odd = oddRow(leading);
  const forms = leading.map(({ usual }) => usual);
  const loop = compileRecords(forms, odd, { framed, unfinished: following.length > 0 });
  const all = [...readersOf(leading), ...following];
  return {
    rows: (cursor, columns, from, to) => {
      for (const read of all) read(cursor, columns, from, to);
    },
    records: (reading, schemaId) => {
      const { cursor, columns } = reading;
      const from = columns.count;
      loop(
        reading,
        schemaId,
        forms.map((form) => form.columnsOf(columns)),
      );
      for (const read of following) read(cursor, columns, from, columns.count);
    },
  };
}

function readersOf(fields: readonly FieldReader[]): RowsReader[] {
  const readers: RowsReader[] = [];
  let run: UsualField[] = [];
  const endRun = (): void => {
    if (run.length > 0) readers.push(usualRows(run));
    run = [];
  };
  for (const field of fields) {
    if (isUsual(field)) {
      run.push(field);
      continue;
    }
    endRun();
    readers.push(eachRow(field.row));
  }
  endRun();
  return readers;
}

function usualRows(run: readonly UsualField[]): RowsReader {
  const forms = run.map(({ usual }) => usual);
  const loop = compileRows(forms, oddRow(run));
  return (cursor, columns, from, to) => {
    const into = forms.map((form) => form.columnsOf(columns));
    loop(cursor, columns, from, to, into);
  };
}

function oddRow(run: readonly UsualField[]): OddRow {
  return (cursor, columns, row) => {
    for (const field of run) {
      if (columns.rejected[row] === 0) readRow(cursor, columns, row, field.row);
    }
  };
}

function isUsual(field: FieldReader): field is UsualField {
  return field.usual !== undefined;
}
