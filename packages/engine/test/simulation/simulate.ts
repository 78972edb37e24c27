import { CheckpointWatch } from "./check-checkpoints.ts";
import { checkOutcome } from "./check-outcome.ts";
import { SimulatedStore } from "./checkpoint-store.ts";
import { Coordinator } from "./coordinator.ts";
import { Disturber } from "./disturber.ts";
import { SimulatedDocuments } from "./documents.ts";
import { type PlanName, plans } from "./faults.ts";
import type { InputTopic } from "./input-log.ts";
import { Topic } from "./topic.ts";
import { Members } from "./members.ts";
import { type MutantName, type Mutant, mutants } from "./mutants.ts";
import { Producer, strangeSchema } from "./producer.ts";
import { SimulatedResults } from "./result-log.ts";
import { randomSettings } from "./settings.ts";
import { type Sight, World } from "./world.ts";

export type SimulationOptions = {
  readonly mutant?: MutantName;
  readonly plan?: PlanName;
  /** Ordinals of the faults that happen, the others are left out: how a failed run is made shorter. */
  readonly faults?: ReadonlySet<number>;
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
  /** Faults that the run met, or left out. */
  readonly faults: number;
};

/** Virtual time after the last fault within which everything must have come right. */
const drainMs = 600_000;
const checkEveryMs = 3_000;

/** One run of the whole pipeline, named by its seed: same seed, same run, to the last line of its trace. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Report> {
  const mutant: Mutant = mutants[options.mutant ?? "none"];
  const world = new World(seed, plans[options.plan ?? "swarm"], options.faults);
  using _patched = mutant.patch?.(world) ?? new DisposableStack();
  const settings = randomSettings(world.random);
  const changed = mutant.settings?.(settings) ?? settings;
  const input: InputTopic = new Topic(world, "ad_topic", settings.partitions);
  const coordinator = new Coordinator(world, input, () => {
    if (results.open.length > 0) world.saw("rebalance during flush");
  });
  const results = new SimulatedResults(world, {
    owner: (partition) => coordinator.owner(partition),
    claim: (partition, process) => store.claimOf(partition, process),
  });
  const watch = new CheckpointWatch(world, settings, input, results);
  const store = new SimulatedStore(world, (stored, history) => {
    watch.created(stored, history);
  });
  const documents = new SimulatedDocuments(world);
  const schemas = new Set([1]);
  const { schemaPatienceMs } = settings;
  const cluster = { input, coordinator, schemas, schemaPatienceMs };
  const members = new Members(
    { world, settings: changed, cluster, store, results, mutant },
    documents,
  );
  const producer = new Producer(world, input, settings.traffic, settings.busyMs);
  const disturber = new Disturber({
    world,
    members,
    coordinator,
    store,
    documents,
    producer,
    input,
  });
  if (Number.isFinite(settings.schemaKnownAtMs)) {
    world.after(settings.schemaKnownAtMs, () => schemas.add(strangeSchema));
  }
  if (world.random.chance(world.plan.upgrades)) {
    world.after(world.random.next() * 0.8 * settings.busyMs, () => {
      members.upgrade();
    });
  }
  producer.run();
  members.start();
  disturber.run(settings.busyMs);
  await runUntil(world, settings.busyMs);
  disturber.stop();
  const calmAt = await runUntil(world, settings.busyMs + drainMs, () => members.settled());
  if (world.violations.length === 0 && world.halted === undefined) {
    if (calmAt === undefined)
      world.violated(`not at rest after ${drainMs} ms: ${members.unrest()}`);
    else {
      const { compact = (rows) => rows } = mutant;
      checkOutcome(world, {
        settings,
        input,
        store,
        results,
        documents: documents.documents,
        compact,
      });
    }
  }
  const records = input.partitions.reduce((total, { entries }) => total + entries.length, 0);
  const { violations, trace, digest, seen, faults } = world;
  const { steps } = world.scheduler;
  return { seed, violations, trace, digest, seen, records, steps, faults };
}

/** @returns when `done` held twice in a row, undefined when it did not until then */
async function runUntil(
  world: World,
  untilMs: number,
  done: () => boolean = () => false,
): Promise<number | undefined> {
  let nextCheckMs = world.nowMs + checkEveryMs;
  let before = false;
  while (world.nowMs < untilMs && world.violations.length === 0 && world.halted === undefined) {
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
