import type { CheckpointHeader } from "../../src/checkpoint.ts";
import { rejectCode } from "../../src/columns.ts";
import type { Stored } from "./checkpoint-store.ts";
import { readAs } from "./job-versions.ts";
import { type InputEntry, unknownSchema } from "./input-log.ts";
import { type Truth, truthOf } from "./oracle.ts";
import { strangeSchema } from "./producer.ts";
import type { Settings } from "./settings.ts";

type Decided = { readonly offset: number; readonly watermark: number };

/**
 * Decisions of a line of checkpoints. One that the next checkpoint repeats had not been applied when that was made: it
 * counts from there on.
 */
export function lineDecisions(line: readonly CheckpointHeader[]): Decided[] {
  return line.flatMap(({ decisions, log }, at) => {
    const repeated = new Set(line[at + 1]?.decisions.map(({ watermark }) => watermark));
    return decisions
      .filter(({ watermark }) => !repeated.has(watermark))
      .map(({ watermark }) => ({ offset: log.nextOffset, watermark }));
  });
}

/**
 * What one partition's results are, from its log and from what the checkpoints of `line` say that the log does not:
 * decisions, and since when the strange schema is none.
 */
export function prefixTruth(
  { job: { windowed } }: Settings,
  entries: readonly InputEntry[],
  line: readonly Stored[],
  decisions: readonly Decided[] = lineDecisions(headersOf(line)),
): Truth {
  const headers = headersOf(line);
  const cut = headers.find(({ codeVersion }) => codeVersion === 2)?.log.nextOffset ?? Infinity;
  const gaps = gapsOf(headers);
  const read = entries.map((entry, offset) => {
    if (gaps.some(({ from, to }) => offset >= from && offset <= to))
      return { kind: "marker" as const };
    return readAs(offset < cut ? 1 : 2, entry);
  });
  const decided = line.findIndex(({ strangeIsDead }) => strangeIsDead);
  return truthOf(
    {
      sizeMs: windowed.window.sizeMs,
      slideMs: windowed.window.slideMs,
      delayMs: windowed.watermarkDelayMs,
      latenessMs: windowed.allowedLatenessMs,
      maxFutureMs: windowed.maxFutureMs,
      horizonMs: windowed.deduplicate?.horizonMs,
    },
    read,
    decisions,
    { from: headers[decided]?.log.nextOffset ?? Number.POSITIVE_INFINITY, schema: strangeSchema },
    { unknownSchema, ahead: rejectCode("event time ahead of the record") },
  );
}

export function headersOf(line: readonly Stored[]): CheckpointHeader[] {
  return line.flatMap(({ frame }) => (frame.header.kind === "checkpoint" ? frame.header : []));
}

/** Offsets that are not counted since an operator accepted that they are gone; the last one included. */
export function gapsOf(line: readonly CheckpointHeader[]): { from: number; to: number }[] {
  return (line.at(-1)?.operator ?? []).flatMap(({ missing }) => missing ?? []);
}
