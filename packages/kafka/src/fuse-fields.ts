import type { RecordColumns } from "@adstream/engine/columns";

import type { ByteCursor } from "./byte-cursor.ts";
import {
  type Column,
  eachRow,
  type FieldReader,
  readRow,
  type RowsReader,
  type UsualForm,
} from "./value-rows.ts";

/**
 * One reader of all `fields`, which follow each other: where some in a row have a usual form, one loop reads them together,
 * and a row of which one has another form is read by all their `row`.
 */
export function fuseFields(fields: readonly FieldReader[]): RowsReader {
  const readers: RowsReader[] = [];
  let run: UsualField[] = [];
  const endRun = (): void => {
    if (run.length > 0) readers.push(usualRows(run));
    run = [];
  };
  for (const { row, usual } of fields) {
    if (usual !== undefined) {
      run.push({ row, usual });
      continue;
    }
    endRun();
    readers.push(eachRow(row));
  }
  endRun();
  const [only] = readers;
  if (only !== undefined && readers.length === 1) return only;
  return (cursor, columns, from, to) => {
    for (const read of readers) read(cursor, columns, from, to);
  };
}

type UsualField = Required<FieldReader>;
/** Reads the fields of one row, whatever forms they have. */
type OddRow = (cursor: ByteCursor, columns: RecordColumns, row: number) => void;

function usualRows(run: readonly UsualField[]): RowsReader {
  const odd: OddRow = (cursor, columns, row) => {
    for (const field of run) {
      if (columns.rejected[row] === 0) readRow(cursor, columns, row, field.row);
    }
  };
  const forms = run.map(({ usual }) => usual);
  const loop = compileLoop(forms, odd);
  return (cursor, columns, from, to) => {
    const into = forms.map((form) => form.columnsOf(columns));
    loop(cursor, columns, from, to, into);
  };
}

/**
 * Rows that are rejected are read, too, as long as what they hold looks usual: that means nothing, and costs less than to ask.
 *
 * @param into of each form its columns
 */
type UsualLoop = (
  cursor: ByteCursor,
  columns: RecordColumns,
  from: number,
  to: number,
  into: readonly (readonly Column[])[],
) => void;

/** Loops that were compiled from the same text would share what V8 learns of their calls, and so would lose it. */
let compiled = 0;

/**
 * The loop over rows, as text of its own for each schema: in a loop that all schemas share a call has many targets and is made
 * for each field of each row, while one with a single target becomes part of the loop, as long as all of them have no more
 * than some 900 bytes of bytecode together. Nothing of a schema is in the text but how many forms there are.
 * Node has to be allowed to compile text (no `--disallow-code-generation-from-strings`), which avsc needs, too.
 */
function compileLoop(forms: readonly UsualForm[], odd: OddRow): UsualLoop {
  const each = (text: (form: number) => string, between: string): string =>
    forms.map((_, form) => text(form)).join(between);
  const text = `
return (cursor, columns, from, to, into) => {
  const { bytes, view } = cursor;
  const { unread, unreadEnd } = columns;
  ${each((n) => `const [first${n}, second${n}] = into[${n}];`, "\n  ")}
  for (let row = from; row < to; row++) {
    const end = unreadEnd[row];
    let at = unread[row];
    ${each((n) => `at = read${n}(bytes, view, at, end, row, first${n}, second${n});`, "\n    if (at >= 0) ")}
    if (at >= 0) unread[row] = at;
    else odd(cursor, columns, row);
  }
};
//# sourceURL=adstream-fields-${++compiled}.js`;
  // oxlint-disable-next-line typescript/no-implied-eval -- nothing that comes from outside is in the text
  const compile = new Function("odd", ...forms.map((_, n) => `read${n}`), text);
  return compile(odd, ...forms.map(({ read }) => read));
}
