import type { Report } from "./report.ts";
import { soakLines } from "./soak.ts";
import type { Quantiles } from "./statistics.ts";

/** The report as lines of text. */
export function tableOf(report: Report): string[] {
  const { records, producers, documents, deadLetters, lateRecords, soak } = report;
  const faults = Object.entries(report.faults).map(([name, count]) => `${count} ${name}s`);
  const rows: readonly (readonly [string, string])[] = [
    ["servers", report.servers],
    ["seed", String(report.seed)],
    ["time", `${report.seconds} s`],
    ["faults", `${report.faultCount}: ${faults.join(", ")}`],
    [
      "records",
      `${records.in} = ${records.counted} counted + ${records.late} late + ${records.dead} dead-lettered`,
    ],
    [
      "producers",
      `${producers.acknowledged} acknowledged, ${producers.lost} lost, ${producers.doubled} doubled`,
    ],
    [
      "documents",
      `${documents.there}: ${documents.missing} missing, ${documents.extra} extra, ${documents.differing} different`,
    ],
    [
      "dead letters",
      `${deadLetters.different} of ${records.dead} by origin, ${deadLetters.repeated} repeated`,
    ],
    [
      "late topic",
      `${lateRecords.different} of ${records.late} by origin, ${lateRecords.repeated} repeated`,
    ],
    ["regressions", `${report.regressions} in ${report.looks} readings of all documents`],
    ["recovery", quantileText(report.recoveryMs)],
    ["  undisturbed", quantileText(report.undisturbedMs)],
    ["  kill to assignment", quantileText(report.phasesMs.assigned)],
    ["  claim and restore", quantileText(report.phasesMs.acquired)],
    ["  to first result", quantileText(report.phasesMs.published)],
    ["after SIGSTOP", quantileText(report.frozenMs)],
    ["unasked ends", String(report.unplannedEnds.length)],
    ["failures per fault", `below ${report.failureRateBelow.toPrecision(2)} at 95 %`],
  ];
  return [
    ...rows.map(([name, text]) => `${name.padEnd(20)}  ${text}`),
    ...report.unplannedEnds.slice(0, 10).map((line) => `  ${line}`),
    ...(soak === undefined ? [] : ["", ...soakLines(soak)]),
    ...report.problems.map((line) => `WRONG: ${line}`),
    ...(report.kept === undefined ? [] : [report.kept]),
    report.problems.length === 0
      ? `all holds after ${report.faultCount} faults`
      : `FAILED with seed ${report.seed}`,
  ];
}

function quantileText(measured: Quantiles | undefined): string {
  if (measured === undefined) return "–";
  const { count, p50, p95, p99, max } = measured;
  const seconds = (ms: number): string => (ms / 1_000).toFixed(2);
  return `p50 ${seconds(p50)} s, p95 ${seconds(p95)} s, p99 ${seconds(p99)} s, max ${seconds(max)} s of ${count}`;
}
