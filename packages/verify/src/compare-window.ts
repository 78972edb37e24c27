import type { CountedWindow, CountRules, ExpectedSlot } from "./count-partition.ts";

/** A document as it lies in MongoDB, longs as bigints; whatever it holds is to be judged. */
export type FoundDocument = Readonly<Record<string, unknown>> & { readonly _id: unknown };

/** What the log says of one window. */
export type ExpectedWindow = {
  readonly start: number;
  readonly partitions: ReadonlyMap<number, CountedWindow>;
};

export type CompareRules = Pick<CountRules, "windowSizeMs"> & {
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

const sums = ["count", "total_clicks", "total_views", "total_cost"] as const;
type Sums = Record<(typeof sums)[number], number>;

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
    for (const [adId, slot] of slots) {
      const id = `${time}/${adId}`;
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
    const ours = [...slots].filter(([name, slot]) => compared(name, rules) && !emptied(slot));
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

/** Left behind by an upgrade that counts otherwise (protocol 2.6). */
function emptied(slot: unknown): boolean {
  const fields = fieldsOf(slot);
  return sums.every((name) => Number(fields[name]) === 0);
}

function identityProblems(
  document: FoundDocument,
  start: number,
  { windowSizeMs }: CompareRules,
): string[] {
  const { start: from, end } = fieldsOf(document["window"]);
  const adId = String(document._id).slice(new Date(start).toISOString().length + 1);
  return [
    ...differs("ad_id", adId, document["ad_id"]),
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
    for (const sum of sums) problems.push(...differs(`${name}.${sum}`, slot[sum], fields[sum]));
    problems.push(...differs(`${name}.status`, slot.status, fields["status"]));
    if (logPosition(fields["version"]) > 0) continue;
    problems.push(`${name}.version: expected a version, found ${show(fields["version"])}`);
  }
  for (const [name, slot] of found) {
    const known = /^p\d+$/.test(name) && slots.has(Number(name.slice(1)));
    if (known || !compared(name, rules) || emptied(slot)) continue;
    problems.push(
      `slots.${name}: expected none, found a count of ${show(fieldsOf(slot)["count"])}`,
    );
  }
  return problems;
}

/** The eight figures and the status: from the log where all of it was read, else from the slots beside them. */
function totalProblems(
  { slots }: Expected,
  found: ReadonlyMap<string, unknown>,
  document: FoundDocument,
  { allPartitions }: CompareRules,
): string[] {
  const parts: readonly (Sums & { readonly status: unknown })[] = allPartitions
    ? [...slots.values()]
    : [...found.values()].map((slot) => {
        const fields = fieldsOf(slot);
        const [count = 0, total_clicks = 0, total_views = 0, total_cost = 0] = sums.map((name) =>
          Number(fields[name]),
        );
        return { count, total_clicks, total_views, total_cost, status: fields["status"] };
      });
  const total = { count: 0, total_clicks: 0, total_views: 0, total_cost: 0 };
  for (const part of parts) for (const name of sums) total[name] += part[name];
  const statuses = new Set(parts.map(({ status }) => status));
  const worst = (["early", "corrected"] as const).find((one) => statuses.has(one));
  return [
    ...Object.entries(figuresOf(total)).flatMap(([name, figure]) => {
      return differs(name, figure, document[name]);
    }),
    ...differs("status", worst ?? "final", document["status"]),
  ];
}

/** Totals and averages of a document. */
function figuresOf(total: Sums): Readonly<Record<string, number | null>> {
  const { count, total_clicks, total_views, total_cost } = total;
  return {
    count,
    total_clicks,
    total_views,
    total_cost,
    avg_clicks: total_clicks / count,
    avg_views: total_views / count,
    avg_cost: total_cost / count,
    avg_cost_per_view: total_views === 0 ? null : total_cost / total_views,
  };
}

/** Floats may be added in another order (protocol 2.2). */
const tolerance = 1e-9;

/** Whether a stored figure is the expected one. */
function sameFigure(expected: number | null, found: unknown): boolean {
  const actual = typeof found === "bigint" ? Number(found) : found;
  if (expected === null || typeof actual !== "number") return expected === actual;
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
