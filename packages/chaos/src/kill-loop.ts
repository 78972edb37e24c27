import { setTimeout as sleep } from "node:timers/promises";
import { openBroker } from "./broker.ts";
import { checkDocuments } from "./check-documents.ts";
import { appliedBy, behind, drain, endLine, endsOf, settled } from "./drain.ts";
import { injectFaults } from "./faults.ts";
import { type Fleet, type Lifetime, openFleet } from "./fleet.ts";
import type { ChaosOptions } from "./options.ts";
import { checkProduced, namingArgs, producerSeeds } from "./produced-records.ts";
import { seededRandom } from "./random.ts";
import { RecoveryTimes } from "./recovery-times.ts";
import { type Findings, type Report, reportOf } from "./report.ts";
import { openRunScope, type RunScope } from "./run-scope.ts";
import { openServers } from "./servers.ts";
import { openSoak } from "./soak.ts";
import { watchVersions } from "./version-watch.ts";

export type LoopContext = {
  /** One line for people. */
  readonly say: (line: string) => void;
  /** Ends the run at once, without a report. */
  readonly signal: AbortSignal;
  /** Names the servers. */
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** Of each kind. */
const traffic = ["--repeat-ratio=0.5", "--out-of-order-ratio=0.1", "--late-ratio=0.01"];

/**
 * Runs the pipeline, hurts it, lets it finish, and counts everything again. Data of a run that failed is kept.
 *
 * @throws when the servers cannot be had, or `signal` aborts
 */
export async function runKillLoop(options: ChaosOptions, context: LoopContext): Promise<Report> {
  const { say } = context;
  await using servers = await openServers(context.env);
  await using scope = await openRunScope(servers, {
    partitions: options.partitions,
    settings: { KAFKA_SESSION_TIMEOUT: options.sessionTimeout },
  });
  say(`seed ${options.seed}, ${servers.description}, logs in ${scope.directory}`);
  try {
    const findings = await hurt(options, scope, context);
    const report = reportOf(options, servers.description, findings);
    if (report.problems.length === 0) return report;
    scope.keep();
    return { ...report, kept: keptLine(scope) };
  } catch (error) {
    if (!context.signal.aborted) {
      scope.keep();
      say(keptLine(scope));
    }
    throw error;
  }
}

function keptLine({ directory, environment }: RunScope): string {
  const { MONGODB_DATABASE: database, EVENTS_TOPIC: topic } = environment;
  return `kept: logs and checkpoints in ${directory}, database ${database}, topics ${topic}*`;
}

async function hurt(
  options: ChaosOptions,
  scope: RunScope,
  context: LoopContext,
): Promise<Findings> {
  const { say, signal } = context;
  const recovery = new RecoveryTimes();
  const seeds = new Map<string, number>();
  await using fleet = startFleet(options, scope, { recovery, seeds });
  await using watch = watchVersions(scope.environment);
  const startedAt = performance.now();
  await warmUp(fleet, scope, { ...context, poison: options.badRatio > 0 });
  using soak = options.soak ? openSoak(fleet) : undefined;
  say("every partition is being processed; faults begin");
  const random = seededRandom(options.seed);
  const broker = options.broker && openBroker(options.broker);
  const targets = { fleet, broker, recovery, random, say };
  const tally = await injectFaults(options, targets, signal);
  const figures = soak?.finish();
  say("draining");
  const unclean = await drain(fleet, scope, signal);
  await watch.finish();
  const durationMs = performance.now() - startedAt;
  say("counting everything again");
  const documents = await checkDocuments(scope.environment);
  const produced = await checkProduced(scope.environment, producersOf(fleet.ended, seeds));
  const { regressions, regressionCount, looks } = watch;
  return {
    durationMs,
    tally,
    unclean,
    documents,
    produced,
    soak: figures,
    watched: { regressions, regressionCount, looks },
    recoveries: recovery.recoveries,
    unrecovered: recovery.waiting.length,
    givenUp: fleet.givenUp.map(endLine),
    unplanned: unplannedEnds(fleet.ended),
  };
}

function startFleet(
  { sizes, rate, ads, badRatio, seed }: ChaosOptions,
  { environment, directory }: RunScope,
  notes: { readonly recovery: RecoveryTimes; readonly seeds: Map<string, number> },
): Fleet {
  const nextSeed = producerSeeds(seed);
  return openFleet({
    sizes,
    directory,
    // Recovery is measured by what processors log of each publish.
    environment: { ...environment, LOG_LEVEL: "debug" },
    args({ service, name, lifetime }) {
      if (service !== "producer") return [];
      const own = nextSeed();
      notes.seeds.set(`${name}#${lifetime}`, own);
      const share = (rate / sizes.producer).toFixed(3);
      const volume = [`--rate=${share}`, `--ads=${ads}`, `--bad-ratio=${badRatio}`];
      return [...traffic, ...namingArgs(own), ...volume];
    },
    onLog(who, entry) {
      if (who.service === "processor") notes.recovery.see(who, entry);
    },
  });
}

/** A schema id that no registry of ours hands out. */
const unknownSchema = Buffer.from([0, 0x77, 0x35, 0x94, 0x00, 0]);

/**
 * Waits until every partition is being processed. With poison in the traffic, each also decides about its first unknown
 * schema id, which takes 30 s of calm: one comes now and then, and no partition would go on while processors die more
 * often than that.
 */
async function warmUp(
  fleet: Fleet,
  scope: RunScope,
  { signal, poison }: LoopContext & { readonly poison: boolean },
): Promise<void> {
  const topic = scope.environment["EVENTS_TOPIC"] ?? "";
  const admin = scope.kafka.admin();
  await admin.connect();
  try {
    const partitions = (await admin.fetchTopicOffsets(topic)).map(({ partition }) => partition);
    if (poison) await sendUnknownSchema(scope, topic, partitions);
    let ends = new Map<number, number>();
    const ready = await settled(async () => {
      if (ends.size < partitions.length) ends = new Map(await endsOf(admin, topic));
      const whole = ends.size === partitions.length && behind(ends, appliedBy(fleet)) === 0;
      return whole || fleet.givenUp.length > 0;
    }, signal);
    const [lost] = fleet.givenUp;
    if (lost !== undefined) throw new Error(endLine(lost));
    if (!ready) throw new Error("the pipeline did not come up");
    await sleep(1_000, undefined, { signal });
  } finally {
    await admin.disconnect();
  }
}

async function sendUnknownSchema(
  { kafka }: RunScope,
  topic: string,
  partitions: readonly number[],
): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  const messages = partitions.map((partition) => ({ partition, value: unknownSchema }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

function producersOf(
  ended: readonly Lifetime[],
  seeds: ReadonlyMap<string, number>,
): Parameters<typeof checkProduced>[1] {
  return ended.flatMap(({ name, lifetime, status }) => {
    const seed = seeds.get(`${name}#${lifetime}`);
    return seed === undefined ? [] : [{ seed, status }];
  });
}

/** Ends that nobody asked for, after which a restart was right. */
function unplannedEnds(ended: readonly Lifetime[]): string[] {
  const surprising = ended.filter(({ planned, exit }) => !planned && exit.code !== 0);
  return surprising.map(endLine);
}
