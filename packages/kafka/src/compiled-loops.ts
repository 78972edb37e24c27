import type { RecordColumns } from "@adstream/engine/columns";

import type { BatchReading } from "./batch-reading.ts";
import type { ByteCursor } from "./byte-cursor.ts";
import type { Column, UsualForm } from "./value-rows.ts";
import { frameBytes } from "./wire-format.ts";

/** Reads the fields of one row, whatever forms they have, from where `columns.unread` says. */
export type OddRow = (cursor: ByteCursor, columns: RecordColumns, row: number) => void;

/**
 * Reads fields of rows whose frames are read already. Rows that are rejected are read, too, as long as what they hold looks
 * usual: that means nothing, and costs less than to ask.
 *
 * @param into of each form its columns
 */
export type RowsLoop = (
  cursor: ByteCursor,
  columns: RecordColumns,
  from: number,
  to: number,
  into: readonly (readonly Column[])[],
) => void;

/**
 * Reads records on, frame and fields in one pass, up to the first whose frame is not usual or whose value has another head:
 * that one is left.
 *
 * @param schemaId of the values; without a meaning where they have no head
 */
export type RecordsLoop = (
  reading: BatchReading,
  schemaId: number,
  into: readonly (readonly Column[])[],
) => void;

export type RecordsShape = {
  /** Whether values begin with Confluent's frame. */
  readonly framed: boolean;
  /** Whether something follows the fields, to be read from where they end. */
  readonly unfinished: boolean;
};

/** Loops that were compiled from the same text would share what V8 learns of their calls, and so would lose it. */
let compiled = 0;

/*
 * Loops as text of their own for each schema: in a loop that all schemas share a call has many targets and is made for each
 * field of each row, while one with a single target becomes part of the loop, as long as all of them have no more than some
 * 900 bytes of bytecode together. That is why the frame of a record is text here instead of calls. Nothing of a schema is in
 * the text but how many forms there are.
 * Node has to be allowed to compile text (no `--disallow-code-generation-from-strings`), which avsc needs, too.
 */

export function compileRows(forms: readonly UsualForm[], odd: OddRow): RowsLoop {
  return makerOf(forms, rowsText(forms))(odd, ...forms.map(({ read }) => read));
}

export function compileRecords(
  forms: readonly UsualForm[],
  odd: OddRow,
  shape: RecordsShape,
): RecordsLoop {
  return makerOf(forms, recordsText(forms, shape))(odd, ...forms.map(({ read }) => read));
}

/** The text of a function of `odd` and the forms' readers that makes the loop. */
function makerOf(forms: readonly UsualForm[], text: string): InstanceType<FunctionConstructor> {
  const readers = forms.map((_, n) => `read${n}`);
  const source = `${text}\n//# sourceURL=adstream-loop-${++compiled}.js`;
  // oxlint-disable-next-line typescript/no-implied-eval -- nothing that comes from outside is in the text
  return new Function("odd", ...readers, source);
}

function rowsText(forms: readonly UsualForm[]): string {
  return `
return (cursor, columns, from, to, into) => {
  const { bytes, view } = cursor;
  const { unread, unreadEnd } = columns;
  ${columnNames(forms)}
  for (let row = from; row < to; row++) {
    const end = unreadEnd[row];
    let at = unread[row];
    ${fields(forms)}
    if (at >= 0) unread[row] = at;
    else odd(cursor, columns, row);
  }
};`;
}

/**
 * A frame is usual without a varint of more than two bytes, or three where it counts from the head of the batch, and with a
 * value. Where its parts lie is told before anything of it is believed: what lies behind the body reads as undefined, which
 * is 0 in sums of integers, and a record that reaches there is not usual.
 */
function recordsText(forms: readonly UsualForm[], { framed, unfinished }: RecordsShape): string {
  const headBytes = framed ? frameBytes : 0;
  return `
return (reading, schemaId, into) => {
  const { header, cursor, columns, fromOffset, timeOfBatch, timeScale } = reading;
  const { baseOffset, recordCount, lastOffsetDelta } = header;
  const { bytes, view } = cursor;
  const { offset, recordTime, rejected, unread, unreadEnd } = columns;
  const { recordKeyStart, recordKeyLength, recordValueStart, recordValueLength } = columns;
  ${columnNames(forms)}
  const bodyEnd = bytes.length;
  let { index, start, offsetDelta } = reading;
  let row = columns.count;
  for (; index < recordCount; index++) {
    ${varint("size", "start", "attributesAt")}
    const recordEnd = attributesAt + (size >>> 1);
    ${varint("timeDelta", "attributesAt + 1", "deltaAt", 3)}
    ${varint("delta", "deltaAt", "keySizeAt", 3)}
    ${varint("keySize", "keySizeAt", "keyStart")}
    const valueSizeAt = keyStart + (keySize >>> 1); // of -1, which means null, half is 0
    ${varint("valueSize", "valueSizeAt", "valueStart")}
    const end = valueStart + (valueSize >>> 1);
    const usual =
      size < 1 << 14 && // and so are the sizes within it
      (timeDelta | delta) < 1 << 21 &&
      ((size | delta | valueSize) & 1) === 0 &&
      ((keySize & 1) === 0 || keySize === 1) &&
      end < recordEnd &&
      recordEnd <= bodyEnd &&
      delta >>> 1 > offsetDelta &&
      delta >>> 1 <= lastOffsetDelta;
    if (!usual) break;
    if (baseOffset + (delta >>> 1) >= fromOffset) {
      ${framed ? `if (valueSize < ${2 * headBytes} || bytes[valueStart] !== 0 || view.getUint32(valueStart + 1) !== schemaId) break;` : ""}
      offset[row] = baseOffset + (delta >>> 1);
      recordTime[row] = timeOfBatch + timeScale * ((timeDelta >>> 1) ^ -(timeDelta & 1));
      recordKeyStart[row] = keyStart;
      recordKeyLength[row] = (keySize >>> 1) - (keySize & 1);
      recordValueStart[row] = valueStart;
      recordValueLength[row] = valueSize >>> 1;
      rejected[row] = 0;
      let at = valueStart + ${headBytes};
      ${fields(forms)}
      if (at < 0) {
        unread[row] = valueStart + ${headBytes};
        unreadEnd[row] = end;
        odd(cursor, columns, row);
      }${unfinished ? " else { unread[row] = at; unreadEnd[row] = end; }" : ""}
      row++;
    }
    offsetDelta = delta >>> 1;
    start = recordEnd;
  }
  columns.count = row;
  reading.index = index;
  reading.start = start;
  reading.offsetDelta = offsetDelta;
};`;
}

function columnNames(forms: readonly UsualForm[]): string {
  return forms.map((_, n) => `const [first${n}, second${n}] = into[${n}];`).join("\n  ");
}

function fields(forms: readonly UsualForm[]): string {
  const calls = forms.map(
    (_, n) => `at = read${n}(bytes, view, at, end, row, first${n}, second${n});`,
  );
  return calls.join("\n    if (at >= 0) ");
}

/** Reads a varint, its sign not yet split off, and where it ends; one of more bytes comes out too large. */
function varint(name: string, at: string, next: string, mostBytes: 2 | 3 = 2): string {
  const more = (shift: number): string =>
    `${name} = (${name} & ${2 ** shift - 1}) | (bytes[${next}++] << ${shift});`;
  const third = mostBytes === 3 ? ` if (${name} >= 1 << 14) { ${more(14)} }` : "";
  return `let ${name} = bytes[${at}], ${next} = ${at} + 1; if (${name} > 0x7f) { ${more(7)}${third} }`;
}
