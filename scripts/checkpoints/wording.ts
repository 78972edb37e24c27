import type { Frame } from "@adstream/engine/checkpoint";
import type { StateSummary } from "./restore-state.ts";
import { frameOf, type StoredObject, type StoredTask } from "./stored-objects.ts";

/** What `list` says of one object. */
export type Row = {
  readonly job: string;
  readonly partition: number;
  readonly seq: number;
  readonly kind: "checkpoint" | "claim" | "unreadable";
  readonly bytes: number;
  readonly problem?: string;
  readonly writtenAt?: string;
  readonly writer?: string;
  /** Of a claim: the checkpoint it goes on from. */
  readonly base?: number;
  readonly nextOffset?: number;
  readonly watermark?: string | null;
  readonly counts?: Readonly<Record<string, number>>;
  readonly jobEpoch?: number;
  readonly decisions?: number;
  readonly savepoint?: boolean;
  /** The checkpoint since which it holds what changed; absent: it holds all of the state. */
  readonly since?: number;
};

export function rowOf(object: StoredObject): Row {
  const { task, seq, bytes, content } = object;
  const place = { job: task.job, partition: task.partition, seq, bytes };
  if ("problem" in content) return { ...place, kind: "unreadable", problem: content.problem };
  const { header } = content;
  const written = { ...place, writtenAt: header.writer.at, writer: header.writer.instance };
  if (header.kind === "claim") return { ...written, kind: "claim", base: header.base };
  return {
    ...written,
    kind: "checkpoint",
    nextOffset: header.log.nextOffset,
    watermark: timeText(header.watermark),
    counts: { ...header.counts },
    jobEpoch: header.jobEpoch,
    decisions: header.decisions.length,
    savepoint: header.savepoint === true,
    ...(header.delta !== undefined && { since: header.delta.seq }),
  };
}

function timeText(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}

/** The rows of one task as lines. */
export function listLines(task: StoredTask, rows: readonly Row[], nowMs: number): string[] {
  const cells = rows.map((row) => cellsOf(row, nowMs));
  const heads = [
    "seq",
    "kind",
    "age",
    "next offset",
    "watermark",
    "in/late/dead",
    "epoch",
    "bytes",
  ];
  const table = [[...heads, "writer"], ...cells];
  const widths = heads.map((_, at) => Math.max(...table.map((line) => line[at]?.length ?? 0)));
  const lines = table.map((line) =>
    line
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [`${task.job} partition ${task.partition}`, ...lines.map((line) => `  ${line}`)];
}

function cellsOf(row: Row, nowMs: number): string[] {
  const { seq, kind, bytes, counts, decisions = 0 } = row;
  const kinds = [
    kind === "claim" ? `claim on ${row.base}` : kind,
    ...(row.since === undefined ? [] : [`since ${row.since}`]),
    ...(row.savepoint === true ? ["clean stop"] : []),
    ...(decisions > 0 ? ["decision"] : []),
  ];
  const counted = counts === undefined ? "" : `${counts["in"]}/${counts["late"]}/${counts["dead"]}`;
  return [
    String(seq),
    kinds.join(", "),
    row.writtenAt === undefined ? "" : age(nowMs - Date.parse(row.writtenAt)),
    row.nextOffset === undefined ? "" : String(row.nextOffset),
    row.watermark ?? "",
    counted,
    row.jobEpoch === undefined ? "" : String(row.jobEpoch),
    String(bytes),
    row.problem ?? row.writer ?? "",
  ];
}

const steps = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
] as const;

/** `3 s`, `5 m`, `2 h`, `9 d`: in the largest unit that fills at least twice. */
export function age(ms: number): string {
  const [unit, unitMs] = steps.find((step) => ms >= 2 * step[1]) ?? ["s", 1_000];
  return `${Math.max(0, Math.floor(ms / unitMs))} ${unit}`;
}

/** One object in full. */
export function showLines(
  object: StoredObject,
  state: StateSummary | { readonly problem: string } | undefined,
): string[] {
  const { task, seq, bytes, content } = object;
  const lines = [`${task.job} partition ${task.partition}, number ${seq}, ${bytes} bytes`];
  if ("problem" in content) return [...lines, `  unreadable: ${content.problem}`];
  lines.push(...headerLines(content));
  if (state === undefined) return lines;
  if ("problem" in state) return [...lines, `  state      ${state.problem}`];
  const { keys, panes, openWindows, stateBytes, eventIds, unknownSchemas, topAds } = state;
  lines.push(`  state      ${keys} keys, ${panes} panes, ${openWindows} open windows`);
  lines.push(`  memory     ${stateBytes} bytes, ${eventIds} event ids`);
  if (unknownSchemas.length > 0) lines.push(`  unknown    schemas ${unknownSchemas.join(", ")}`);
  // Ads are named by others: control characters would reach the terminal.
  for (const { ad, records } of topAds) {
    lines.push(`  top ad     ${JSON.stringify(ad)} ${records} records`);
  }
  return lines;
}

function headerLines({ header }: Frame): string[] {
  const { writer } = header;
  const lines = [`  written    ${writer.at} by ${writer.instance}`];
  if (header.kind === "claim") return [...lines, `  claim      goes on from ${header.base}`];
  const { log, counts, jobEpoch, codeVersion, stateSchemaVersion, topology, decisions } = header;
  const { in: seen, late, dead } = counts;
  lines.push(
    `  log        ${log.topic} in cluster ${log.clusterId}, ${log.partitions} partitions`,
    `  offset     next ${log.nextOffset}, last record ${log.canary?.offset ?? "none"}`,
    `  watermark  ${timeText(header.watermark) ?? "none"}`,
    `  records    ${seen} in, ${late} late, ${dead} dead letters`,
    `  version    epoch ${jobEpoch}, code ${codeVersion}, state ${stateSchemaVersion}, settings ${topology}`,
  );
  for (const [name, value] of Object.entries(header.settings ?? {})) {
    lines.push(`  setting    ${name}: ${value}`);
  }
  for (const { offset, watermark, why } of decisions) {
    lines.push(`  decision   at offset ${offset}: watermark ${timeText(watermark)} (${why})`);
  }
  for (const { at, flag, why } of header.operator ?? []) {
    lines.push(`  operator   ${at} --${flag}: ${why}`);
  }
  if (header.delta !== undefined) lines.push(`  delta      what changed since ${header.delta.seq}`);
  if (header.savepoint === true) lines.push("  clean stop nobody published anything behind it");
  return lines;
}

/** The same for programs. */
export function showJson(
  object: StoredObject,
  state: StateSummary | { readonly problem: string } | undefined,
): object {
  return { ...rowOf(object), header: frameOf(object)?.header, state };
}
