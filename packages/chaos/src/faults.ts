import { setTimeout as sleep } from "node:timers/promises";
import type { Broker } from "./broker.ts";
import type { Fleet, Member } from "./fleet.ts";
import type { ChaosOptions } from "./options.ts";
import type { Random } from "./random.ts";
import type { RecoveryTimes } from "./recovery-times.ts";

/** What was done, for the report: "processor kill" and the like, how often. */
export type FaultTally = Map<string, number>;

export type FaultPlan = Pick<
  ChaosOptions,
  "kills" | "durationMs" | "interval" | "stopRatio" | "soak"
>;

export type Targets = {
  readonly fleet: Fleet;
  readonly broker: Broker | undefined;
  readonly recovery: RecoveryTimes;
  readonly random: Random;
  readonly say: (line: string) => void;
};

const maxFreezeMs = 20_000;
/** More of them at a time would be an outage of everything. */
const maxFrozen = 2;
const brokerShare = 0.05;

/** One fault after the other until there were enough, the time is over, or somebody gives up. */
export async function injectFaults(
  plan: FaultPlan,
  targets: Targets,
  signal: AbortSignal,
): Promise<FaultTally> {
  const { random, fleet, say } = targets;
  const tally: FaultTally = new Map();
  const until = performance.now() + (plan.durationMs ?? Number.POSITIVE_INFINITY);
  const most = plan.durationMs === undefined ? plan.kills : Number.POSITIVE_INFINITY;
  for (let count = 0; count < most;) {
    const waitMs = random.between(plan.interval.minMs, plan.interval.maxMs);
    await sleep(Math.min(waitMs, until - performance.now()), undefined, { signal });
    if (performance.now() >= until || fleet.givenUp.length > 0) break;
    const what = await inject(plan, targets);
    if (what === undefined) continue;
    count += 1;
    tally.set(what, (tally.get(what) ?? 0) + 1);
    if (count % 10 === 0) say(`${count} faults; ${waitingLine(targets.recovery)}`);
  }
  return tally;
}

async function inject(
  plan: FaultPlan,
  { fleet, broker, recovery, random }: Targets,
): Promise<string | undefined> {
  // Drawn whether they are needed or not, so that the sequence does not depend on what happened before.
  const [dice, kind, choice, lasting] = Array.from({ length: 4 }, () => random.fraction());
  if (broker !== undefined && (dice ?? 0) < brokerShare) {
    await broker.killAndStart();
    return "broker kill";
  }
  const frozen = fleet.members.filter((member) => member.frozen).length;
  const freeze = (kind ?? 0) < plan.stopRatio && frozen < maxFrozen;
  const targets = fleet.members.filter((member) => hittable(member, plan));
  const member = targets[Math.floor((choice ?? 0) * targets.length)];
  if (member === undefined) return undefined;
  const { name, lifetime, service } = member;
  if (service === "processor") {
    recovery.fault({ name, lifetime }, freeze ? "freeze" : "kill", Date.now());
  }
  if (freeze) fleet.freeze(member, (lasting ?? 0) * maxFreezeMs);
  else fleet.kill(member);
  return `${service} ${freeze ? "freeze" : "kill"}`;
}

function hittable({ name, frozen, process }: Member, { soak }: FaultPlan): boolean {
  return process.running && !frozen && !(soak && name.endsWith("-1"));
}

function waitingLine({ waiting }: RecoveryTimes): string {
  if (waiting.length === 0) return "every task publishes";
  const worst = Math.max(...waiting.map(({ sinceMs }) => sinceMs));
  return `${waiting.length} tasks have not published since, for up to ${(worst / 1_000).toFixed(1)} s`;
}
