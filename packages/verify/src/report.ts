import type { Difference } from "./compare-window.ts";
import type { Verification } from "./verify.ts";

/** What does not hold, one sentence each; empty when everything is right. */
export function problemsOf(verification: Verification): string[] {
  const { windows, audits, letters, redrivenTwice, range } = verification;
  const problems: string[] = [];
  const wrong = windows.different + windows.missing + windows.extra;
  if (wrong > 0) problems.push(`${wrong} of ${windows.compared} windows are not as the log says`);
  for (const [partition, { unlettered }] of audits) {
    if (unlettered.count === 0) continue;
    const where = `partition ${partition}, offsets ${unlettered.first.join(", ")}`;
    problems.push(
      `${unlettered.count} records are dead or late and in no topic for them: ${where}${unlettered.count > unlettered.first.length ? ", …" : ""}`,
    );
  }
  for (const kind of ["dead", "late"] as const) {
    const matched = [...audits.values()].reduce((sum, audit) => sum + audit[kind], 0);
    const more = letters === undefined ? 0 : letters[kind] - matched;
    if (more > 0) problems.push(`${more} ${kind} letters are of records that are not ${kind}`);
  }
  if (range === undefined && windows.unfinished === 0 && wrong === 0) {
    const { foundCount, expectedCount } = windows;
    if (foundCount !== expectedCount) {
      problems.push(`counts in MongoDB add up to ${foundCount}, not ${expectedCount}`);
    }
  }
  if (redrivenTwice.length > 0) {
    const shown = redrivenTwice.slice(0, 5).map(escaped).join(", ");
    problems.push(`${redrivenTwice.length} dead letters were redriven more than once: ${shown}`);
  }
  return problems;
}

/** For people: a table, the differences, and the sum check. */
export function reportLines(verification: Verification): string[] {
  const { range, windows, records, letters, audits, decisions, expired } = verification;
  const seen = records.counted + records.late + records.dead + records.duplicate;
  const redriven = [...audits.values()].reduce((sum, audit) => sum + audit.redriven, 0);
  const rows: (readonly [string, number])[] = [
    ["windows compared", windows.compared],
    ["  equal", windows.equal],
    ["  different", windows.different],
    ["  missing", windows.missing],
    ["  extra", windows.extra],
    ...optional("not finished, passed over", windows.unfinished),
    ["events in the log", seen],
    ["  counted", records.counted],
    ["  late", records.late],
    ["  dead-lettered", records.dead],
    ...optional("  duplicates dropped", records.duplicate),
    ...(letters === undefined
      ? []
      : ([
          ["records in the late topic", letters.late],
          ["records in the dead-letter topic", letters.dead],
          ["sum of counts by the log", windows.expectedCount],
          ["sum of counts in MongoDB", windows.foundCount],
        ] as const)),
    ...optional("redriven records", redriven),
    ...optional("idle decisions", decisions),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const digits = Math.max(...rows.map(([, figure]) => String(figure).length));
  return [
    ...(range === undefined ? [] : [`windows that begin ${span(range)}`]),
    ...rows.map(([name, figure]) => `${name.padEnd(width)}  ${String(figure).padStart(digits)}`),
    ...windows.differences.flatMap(differenceLines),
    ...expired.map(
      (partition) =>
        `partition ${partition}: retention took records that this would need; differences may come from that (--from)`,
    ),
    ...sumLine(verification),
  ];
}

function optional(name: string, figure: number): (readonly [string, number])[] {
  return figure === 0 ? [] : [[name, figure]];
}

function sumLine(verification: Verification): string[] {
  const { counted, late, dead, duplicate } = verification.records;
  const sum = `${counted + late + dead + duplicate} events in = ${counted} counted + ${late} late + ${dead} dead-lettered`;
  const dropped = duplicate === 0 ? "" : ` + ${duplicate} duplicates dropped`;
  const problems = problemsOf(verification);
  return [
    sum + dropped,
    ...(problems.length === 0 ? ["all equal"] : problems.map((problem) => `NOT EQUAL: ${problem}`)),
  ];
}

function differenceLines({ id, verdict, problems }: Difference): string[] {
  return [`${verdict}: ${escaped(id)}`, ...problems.map((problem) => `  ${escaped(problem)}`)];
}

function span({ from, to }: { readonly from: number; readonly to: number }): string {
  return `from ${new Date(from).toISOString()} to before ${new Date(to).toISOString()}`;
}

/** Ids are other people's text: nothing of it may steer a terminal. */
export function escaped(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
