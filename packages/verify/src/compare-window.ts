import {
  addFigures,
  type CountedWindow,
  type CountRules,
  type ExpectedSlot,
} from "./count-partition.ts";
import type { CountedJob, Totals } from "./jobs/job.ts";

/** A document as it lies in MongoDB, longs as bigints; whatever it holds is to be judged. */
export type FoundDocument = Readonly<Record<string, unknown>> & { readonly _id: unknown };

/** What the log says of one window. */
export type ExpectedWindow = {
  readonly start: number;
  readonly partitions: ReadonlyMap<number, CountedWindow>;
};

export type CompareRules = Pick<CountRules, "windowSizeMs" | "job"> & {
  /** Offsets verified end before this, by partition; these partitions and no others are compared. */
  readonly ends: ReadonlyMap<number, number>;
  /** Every partition is among them, so that totals are known. */
  readonly allPartitions: boolean;
  /** Results of open windows are to be there. */
  readonly early: boolean;
  /** Only windows that nothing can change any more are compared, others are passed over. */
  readonly onlyClosed: boolean;
};

export type Verdict = "equal" | "different" | "missing" | "extra" | "unfinished";

export type Difference = {
  readonly id: string;
  readonly verdict: Verdict;
  /** `field: expected x, found y`, one each. */
  readonly problems: readonly string[];
};

type Status = "early" | "final" | "corrected";
type Expected = { readonly slots: Map<number, ExpectedSlot & { status: Status }> };

/** Holds the documents of one window against the log. One verdict for each document that is there or should be. */
export function compareWindow(
  expected: ExpectedWindow,
  found: readonly FoundDocument[],
  rules: CompareRules,
): Difference[] {
  const left = expectedDocuments(expected);
  const verdicts: Difference[] = [];
  for (const document of found) {
    const id = String(document._id);
    const wanted = left.get(id);
    left.delete(id);
    verdicts.push({ id, ...judge(wanted, document, expected.start, rules) });
  }
  for (const [id, { slots }] of left) {
    const statuses = [...slots.values()].map(({ status }) => status);
    const open = statuses.includes("early");
    const due = rules.onlyClosed ? !open : rules.early || statuses.some((one) => one !== "early");
    const verdict = due ? "missing" : "unfinished";
    const count = [...slots.values()].reduce((sum, slot) => sum + slot.count, 0);
    verdicts.push({ id, verdict, problems: [`expected a count of ${count}, found no document`] });
  }
  return verdicts;
}

function expectedDocuments({ start, partitions }: ExpectedWindow): Map<string, Expected> {
  const documents = new Map<string, Expected>();
  const time = new Date(start).toISOString();
  for (const [partition, { slots, closed }] of [...partitions].sort(([a], [b]) => a - b)) {
    for (const [key, slot] of slots) {
      const id = `${time}/${key}`;
      const document = documents.get(id) ?? { slots: new Map() };
      documents.set(id, document);
      const status = closed ? (slot.corrected ? "corrected" : "final") : "early";
      document.slots.set(partition, { ...slot, status });
    }
  }
  return documents;
}

function judge(
  wanted: Expected | undefined,
  document: FoundDocument,
  start: number,
  rules: CompareRules,
): Omit<Difference, "id"> {
  const slots = new Map(Object.entries(fieldsOf(document["slots"])));
  if (moving(slots, rules)) return { verdict: "unfinished", problems: [] };
  if (wanted === undefined) {
    const ours = [...slots].filter(
      ([name, slot]) => compared(name, rules) && !emptied(slot, rules.job),
    );
    if (ours.length === 0 && slots.size > 0) return { verdict: "equal", problems: [] };
    const count = show(document["count"]);
    return { verdict: "extra", problems: [`expected no document, found a count of ${count}`] };
  }
  if (rules.onlyClosed && [...wanted.slots.values()].some(({ status }) => status === "early")) {
    return { verdict: "unfinished", problems: [] };
  }
  const problems = [
    ...identityProblems(document, start, rules),
    ...slotProblems(wanted, slots, rules),
    ...totalProblems(wanted, slots, document, rules),
  ];
  return { verdict: problems.length === 0 ? "equal" : "different", problems };
}

/** Written after the part of the log that was read. */
function moving(slots: ReadonlyMap<string, unknown>, { ends }: CompareRules): boolean {
  return [...ends].some(([partition, end]) => {
    return logPosition(fieldsOf(slots.get(`p${partition}`))["version"]) > 2 * end + 1;
  });
}

/** The w of a version (protocol 2.2); -1 where there is none. */
export function logPosition(version: unknown): number {
  const whole = typeof version === "number" && Number.isSafeInteger(version);
  const value = whole ? BigInt(version) : version;
  return typeof value === "bigint" && value > 0n ? Number(value & 0xffff_ffff_ffffn) : -1;
}

function compared(name: string, { ends, allPartitions }: CompareRules): boolean {
  return allPartitions || ends.has(Number(name.slice(1)));
}

/** Left behind by an upgrade that counts otherwise (protocol 2.6). A maximum of nothing may be anything. */
function emptied(slot: unknown, { figures }: CountedJob): boolean {
  const fields = fieldsOf(slot);
  const summed = Object.keys(figures).filter((name) => figures[name] === "sum");
  return ["count", ...summed].every((name) => Number(fields[name]) === 0);
}

function identityProblems(
  document: FoundDocument,
  start: number,
  { windowSizeMs, job }: CompareRules,
): string[] {
  const { start: from, end } = fieldsOf(document["window"]);
  const key = String(document._id).slice(new Date(start).toISOString().length + 1);
  return [
    ...differs(job.key, key, document[job.key]),
    ...differs("window.start", start, from instanceof Date ? from.getTime() : from),
    ...differs("window.end", start + windowSizeMs, end instanceof Date ? end.getTime() : end),
  ];
}

function slotProblems(
  { slots }: Expected,
  found: ReadonlyMap<string, unknown>,
  rules: CompareRules,
): string[] {
  const problems: string[] = [];
  for (const [partition, slot] of slots) {
    const name = `slots.p${partition}`;
    const fields = fieldsOf(found.get(`p${partition}`));
    for (const [figure, value] of Object.entries({ count: slot.count, ...slot.figures })) {
      problems.push(...differs(`${name}.${figure}`, value, fields[figure]));
    }
    problems.push(...differs(`${name}.status`, slot.status, fields["status"]));
    if (logPosition(fields["version"]) > 0) continue;
    problems.push(`${name}.version: expected a version, found ${show(fields["version"])}`);
  }
  for (const [name, slot] of found) {
    const known = /^p\d+$/.test(name) && slots.has(Number(name.slice(1)));
    if (known || !compared(name, rules) || emptied(slot, rules.job)) continue;
    problems.push(
      `slots.${name}: expected none, found a count of ${show(fieldsOf(slot)["count"])}`,
    );
  }
  return problems;
}

/** Figures, ratios and the status: from the log where all of it was read, else from the slots beside them. */
function totalProblems(
  { slots }: Expected,
  found: ReadonlyMap<string, unknown>,
  document: FoundDocument,
  { allPartitions, job }: CompareRules,
): string[] {
  const parts: readonly Part[] = allPartitions
    ? [...slots.values()]
    : [...found.values()].filter((slot) => !emptied(slot, job)).map((slot) => partOf(slot, job));
  const total = totalOf(parts, job);
  const statuses = new Set(parts.map(({ status }) => status));
  const worst = (["early", "corrected"] as const).find((one) => statuses.has(one));
  return [
    ...Object.entries({ ...total, ...job.ratios(total) }).flatMap(([name, figure]) => {
      return differs(name, figure, document[name]);
    }),
    ...differs("status", worst ?? "final", document["status"]),
  ];
}

type Part = Pick<ExpectedSlot, "count" | "figures"> & { readonly status: unknown };

/** A slot as it lies in MongoDB. */
function partOf(slot: unknown, { figures }: CountedJob): Part {
  const fields = fieldsOf(slot);
  const found = Object.keys(figures).map((name): [string, number] => [name, Number(fields[name])]);
  return {
    count: Number(fields["count"]),
    figures: Object.fromEntries(found),
    status: fields["status"],
  };
}

/** @param parts at least one */
function totalOf(parts: readonly Part[], job: CountedJob): Totals {
  const [first, ...others] = parts;
  const figures = { ...first?.figures };
  for (const other of others) addFigures(figures, other.figures, job);
  return { ...figures, count: parts.reduce((sum, { count }) => sum + count, 0) };
}

/** Floats may be added in another order (protocol 2.2). Whole numbers have none: a second of today is beyond it. */
const tolerance = 1e-9;

/** Whether a stored figure is the expected one. */
function sameFigure(expected: number | null, found: unknown): boolean {
  const actual = typeof found === "bigint" ? Number(found) : found;
  if (expected === null || typeof actual !== "number") return expected === actual;
  if (Number.isSafeInteger(expected) && Number.isSafeInteger(actual)) return expected === actual;
  const scale = Math.max(Math.abs(expected), Math.abs(actual));
  return expected === actual || Math.abs(expected - actual) <= tolerance * scale;
}

function differs(name: string, expected: string | number | null, found: unknown): string[] {
  const same = typeof expected === "string" ? expected === found : sameFigure(expected, found);
  return same ? none : [`${name}: expected ${show(expected)}, found ${show(found)}`];
}

const none: string[] = [];

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isFields(value) ? value : {};
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object";
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}
