import type { DocumentCheck } from "./check-documents.ts";
import type { FaultTally } from "./faults.ts";
import type { ChaosOptions } from "./options.ts";
import type { ProducedCheck } from "./produced-records.ts";
import type { Recovery } from "./recovery-times.ts";
import type { SoakFigures } from "./soak.ts";
import { failureRateBelow, type Quantiles, quantiles } from "./statistics.ts";

/** What a run found out. */
export type Findings = {
  readonly durationMs: number;
  readonly tally: FaultTally;
  /** What did not end cleanly when it was told to. */
  readonly unclean: readonly string[];
  readonly documents: DocumentCheck;
  readonly produced: ProducedCheck;
  readonly watched: {
    readonly looks: number;
    readonly regressionCount: number;
    readonly regressions: readonly string[];
  };
  readonly recoveries: readonly Recovery[];
  /** Tasks that were hit and never published again. */
  readonly unrecovered: number;
  readonly givenUp: readonly string[];
  readonly unplanned: readonly string[];
  readonly soak: SoakFigures | undefined;
};

export type Report = {
  readonly seed: number;
  readonly servers: string;
  readonly seconds: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly faultCount: number;
  /** At 95 %, where nothing failed. */
  readonly failureRateBelow: number;
  readonly records: DocumentCheck["recounted"] & { readonly acknowledged: number };
  readonly producers: ProducedCheck;
  readonly documents: { readonly [name in "there" | "missing" | "extra" | "differing"]: number };
  readonly deadLetters: DocumentCheck["dead"];
  readonly lateRecords: DocumentCheck["late"];
  readonly looks: number;
  readonly regressions: number;
  /** From a processor's death to the first new result of each task it had, ms. */
  readonly recoveryMs: Quantiles | undefined;
  /** Of those during which no other processor was hit. */
  readonly undisturbedMs: Quantiles | undefined;
  /** Parts of `recoveryMs`: until the last assignment, then claim and restore, then the first publish. */
  readonly phasesMs: Readonly<Record<"assigned" | "acquired" | "published", Quantiles | undefined>>;
  readonly frozenMs: Quantiles | undefined;
  /** Ends that nobody asked for and that a restart mended. */
  readonly unplannedEnds: readonly string[];
  readonly soak: SoakFigures | undefined;
  /** One sentence for each thing that does not hold. */
  readonly problems: readonly string[];
  readonly kept?: string;
};

export function reportOf(
  { seed, broker }: Pick<ChaosOptions, "seed" | "broker">,
  servers: string,
  findings: Findings,
): Report {
  const { tally, documents, produced, watched, recoveries, soak } = findings;
  const faultCount = [...tally.values()].reduce((sum, one) => sum + one, 0);
  const killed = recoveries.filter(({ fault }) => fault === "kill");
  const { documents: there, missing, extra, differing } = documents.comparison;
  return {
    seed,
    servers,
    seconds: Math.round(findings.durationMs / 1_000),
    faults: Object.fromEntries([...tally].toSorted(([a], [b]) => a.localeCompare(b))),
    faultCount,
    failureRateBelow: failureRateBelow(faultCount),
    records: { ...documents.recounted, acknowledged: produced.acknowledged },
    producers: produced,
    documents: { there, missing, extra, differing },
    deadLetters: documents.dead,
    lateRecords: documents.late,
    looks: watched.looks,
    regressions: watched.regressionCount,
    recoveryMs: quantiles(killed.map(({ totalMs }) => totalMs)),
    undisturbedMs: quantiles(
      killed.filter(({ disturbed }) => disturbed === 0).map(({ totalMs }) => totalMs),
    ),
    phasesMs: phasesOf(killed),
    frozenMs: quantiles(
      recoveries.filter(({ fault }) => fault === "freeze").map(({ totalMs }) => totalMs),
    ),
    unplannedEnds: findings.unplanned,
    soak,
    problems: problemsOf(findings, broker !== undefined),
  };
}

function phasesOf(killed: readonly Recovery[]): Report["phasesMs"] {
  const whole = killed.flatMap(({ assignedMs, acquiredMs, totalMs }) =>
    assignedMs === undefined || acquiredMs === undefined || acquiredMs < assignedMs
      ? []
      : [{ assignedMs, acquiredMs, totalMs }],
  );
  return {
    assigned: quantiles(whole.map(({ assignedMs }) => assignedMs)),
    acquired: quantiles(whole.map(({ assignedMs, acquiredMs }) => acquiredMs - assignedMs)),
    published: quantiles(whole.map(({ acquiredMs, totalMs }) => totalMs - acquiredMs)),
  };
}

const recoveryLimitMs = { p95: 10_000, p99: 30_000 };
/** A percentile of fewer values is a matter of luck: of 20 the 95th is the second longest. */
const enoughForP95 = 100;

/** Whether recovery after kills took too long; frozen processes are waited for, so they do not count. */
export function tooSlow(recoveries: readonly Pick<Recovery, "fault" | "totalMs">[]): string[] {
  const killed = recoveries.filter(({ fault }) => fault === "kill");
  const found = quantiles(killed.map(({ totalMs }) => totalMs));
  if (found === undefined) return [];
  const slow = found.count >= enoughForP95 && found.p95 > recoveryLimitMs.p95;
  if (!slow && found.p99 <= recoveryLimitMs.p99) return [];
  return [`recovery took p95 ${found.p95} ms, p99 ${found.p99} ms`];
}

function problemsOf(findings: Findings, brokerHit: boolean): string[] {
  const { documents, produced, watched, unclean, givenUp, unrecovered, recoveries } = findings;
  const { dead } = documents;
  const wrong: readonly (readonly [boolean, string])[] = [
    [produced.lost > 0, `${produced.lost} acknowledged records are not in the topic`],
    [produced.doubled > 0, `${produced.doubled} records are in the topic more than once`],
    [
      dead.different < produced.poison,
      `${produced.poison} bad records were acknowledged, ${dead.different} are dead letters`,
    ],
    [watched.regressionCount > 0, `${watched.regressionCount} regressions in MongoDB`],
    [watched.looks < 2, "MongoDB was not watched"],
    [unrecovered > 0, `${unrecovered} tasks published nothing after their processor was hit`],
  ];
  return [
    ...documents.problems,
    ...wrong.flatMap(([holds, text]) => (holds ? [text] : [])),
    ...(brokerHit ? [] : tooSlow(recoveries)),
    ...watched.regressions,
    ...givenUp,
    ...unclean,
    ...(findings.soak?.problems ?? []),
  ];
}
