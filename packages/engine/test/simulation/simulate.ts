import { CheckpointWatch } from "./check-checkpoints.ts";
import { checkOutcome } from "./check-outcome.ts";
import { SimulatedStore } from "./checkpoint-store.ts";
import { Coordinator } from "./coordinator.ts";
import { Disturber } from "./disturber.ts";
import { SimulatedDocuments } from "./documents.ts";
import { type FaultPlan, swarm } from "./faults.ts";
import type { InputLog } from "./input-log.ts";
import { Members } from "./members.ts";
import { type MutantName, type Mutant, mutants } from "./mutants.ts";
import { Producer, strangeSchema } from "./producer.ts";
import type { Random } from "./random.ts";
import { SimulatedResults } from "./result-log.ts";
import { randomSettings } from "./settings.ts";
import { type Sight, World } from "./world.ts";

export type SimulationOptions = {
  readonly mutant?: MutantName;
  readonly plan?: (random: Random) => FaultPlan;
};

export type Report = {
  readonly seed: number;
  /** Empty when all was right. */
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  /** Equal for equal runs. */
  readonly digest: number;
  readonly seen: ReadonlyMap<Sight, number>;
  readonly records: number;
  readonly steps: number;
};

/** Virtual time after the last fault within which everything must have come right. */
const drainMs = 600_000;
const checkEveryMs = 3_000;

/** One run of the whole pipeline, named by its seed: same seed, same run, to the last line of its trace. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Report> {
  const mutant: Mutant = mutants[options.mutant ?? "none"];
  using _patched = mutant.patch?.() ?? new DisposableStack();
  const world = new World(seed, options.plan ?? swarm);
  const settings = randomSettings(world.random);
  const log: InputLog = Array.from({ length: settings.partitions }, () => []);
  const coordinator = new Coordinator(world, settings.partitions, () => {
    if (results.open.length > 0) world.saw("rebalance during flush");
  });
  const results = new SimulatedResults(world, {
    owner: (partition) => coordinator.owner(partition),
    claim: (partition, process) => store.claimOf(partition, process),
  });
  const watch = new CheckpointWatch(world, settings, results);
  const store = new SimulatedStore(world, (stored, history) => {
    watch.created(stored, history);
  });
  const documents = new SimulatedDocuments(world);
  const schemas = new Set([1]);
  const { schemaPatienceMs } = settings;
  const committed = new Map<number, number>();
  const cluster = { log, coordinator, schemas, schemaPatienceMs, committed };
  const members = new Members({ world, settings, cluster, store, results, mutant }, documents);
  const producer = new Producer(world, log, settings.traffic, settings.busyMs);
  const disturber = new Disturber({ world, members, coordinator, store, documents, producer });
  if (Number.isFinite(settings.schemaKnownAtMs)) {
    world.after(settings.schemaKnownAtMs, () => schemas.add(strangeSchema));
  }
  producer.run();
  members.start();
  disturber.run(settings.busyMs);
  await runUntil(world, settings.busyMs);
  disturber.stop();
  const calmAt = await runUntil(world, settings.busyMs + drainMs, () => members.settled());
  if (world.violations.length === 0) {
    if (calmAt === undefined)
      world.violated(`not at rest after ${drainMs} ms: ${members.unrest()}`);
    else checkOutcome(world, { settings, log, store, results, documents: documents.documents });
  }
  const records = log.reduce((total, entries) => total + entries.length, 0);
  const { violations, trace, digest, seen } = world;
  return { seed, violations, trace, digest, seen, records, steps: world.scheduler.steps };
}

/** @returns when `done` held twice in a row, undefined when it did not until then */
async function runUntil(
  world: World,
  untilMs: number,
  done: () => boolean = () => false,
): Promise<number | undefined> {
  let nextCheckMs = world.nowMs + checkEveryMs;
  let before = false;
  while (world.nowMs < untilMs && world.violations.length === 0) {
    if (!(await world.scheduler.step())) return undefined;
    if (world.nowMs < nextCheckMs) continue;
    nextCheckMs = world.nowMs + checkEveryMs;
    const now = done();
    if (now && before) return world.nowMs;
    before = now;
  }
  return undefined;
}

/** What a person needs to look into a failed run: its seed, what is wrong, and the last lines of its trace. */
export function describeFailure(report: Report, traceLines = 60): string {
  const { seed, violations, trace } = report;
  return [
    `seed ${seed}:`,
    ...violations.slice(0, 5),
    "",
    ...trace.slice(trace.length - Math.min(traceLines, trace.length)),
  ].join("\n");
}
