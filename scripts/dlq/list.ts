import { escaped } from "@adstream/verify/report";
import type { Letter } from "./letters.ts";

/** Letters of one reason, schema and partition. */
export type LetterGroup = {
  readonly reason: string;
  readonly schemaId: number | undefined;
  readonly partition: number;
  count: number;
  /** Kafka timestamps of the originals, epoch ms. */
  first: number;
  last: number;
  /** `topic/partition/offset` of the first one. */
  readonly sample: string;
};

/** Counts letters; the largest group first. */
export class LetterCount {
  readonly #groups = new Map<string, LetterGroup>();

  add({ reason, schemaId, partition, time, id }: Letter): void {
    const name = JSON.stringify([reason, schemaId, partition]);
    const group = this.#groups.get(name);
    if (group === undefined) {
      const times = { first: time, last: time };
      this.#groups.set(name, { reason, schemaId, partition, count: 1, ...times, sample: id });
      return;
    }
    group.count += 1;
    group.first = Math.min(group.first, time);
    group.last = Math.max(group.last, time);
  }

  groups(): LetterGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }
}

/** A table for people; `total` and `repeated` as its last line. */
export function listLines(topic: string, groups: readonly LetterGroup[]): string[] {
  if (groups.length === 0) return [`${topic}: no such letters`];
  const rows = groups.map(({ reason, schemaId, partition, count, first, last, sample }) => [
    String(count),
    escaped(reason),
    schemaId === undefined ? "-" : String(schemaId),
    String(partition),
    timeText(first),
    timeText(last),
    escaped(sample),
  ]);
  const header = ["count", "reason", "schema", "partition", "first", "last", "sample"];
  const table = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...table.map((cells) => cells[column]?.length ?? 0)),
  );
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  return [
    ...table.map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    ),
    `${topic}: ${total} letters`,
  ];
}

/** ISO, or "-" where the record has no time or none that a calendar knows. */
export function timeText(time: number): string {
  return time >= 0 && time <= 8.64e15 ? new Date(time).toISOString() : "-";
}
