import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaConnection } from "@adstream/kafka/connection";
import type { Fleet, Lifetime } from "./fleet.ts";
import type { RunScope } from "./run-scope.ts";
import type { ServiceName } from "./service-process.ts";

type Admin = ReturnType<KafkaConnection["admin"]>;

const patienceMs = 180_000;
const lookEveryMs = 200;
const maxWords = 300;

/**
 * Stops the pipeline in the order of the flow, each part when nothing is left for it to do.
 *
 * @returns what could not be finished cleanly
 * @throws the signal's reason, and what Kafka's admin client throws
 */
export async function drain(fleet: Fleet, scope: RunScope, signal: AbortSignal): Promise<string[]> {
  const admin = scope.kafka.admin();
  await admin.connect();
  try {
    const { EVENTS_TOPIC: events = "", RESULTS_TOPIC: results = "" } = scope.environment;
    const unclean: string[] = [];
    fleet.thawAll();
    unclean.push(...(await stop(fleet, "producer")));
    const read = await endsOf(admin, events);
    const lost = (): boolean => fleet.givenUp.length > 0;
    if (!(await settled(() => lost() || behind(read, appliedBy(fleet)) === 0, signal)) || lost())
      unclean.push(`the processors did not reach the end of ${events}`);
    unclean.push(...(await stop(fleet, "processor")));
    const written = await endsOf(admin, results);
    const group = scope.environment["SINK_GROUP"] ?? "";
    const committed = async (): Promise<boolean> =>
      lost() || behind(written, await committedBy(admin, group, results)) === 0;
    if (!(await settled(committed, signal)))
      unclean.push(`the sinks did not reach the end of ${results}`);
    unclean.push(...(await stop(fleet, "sink")));
    return unclean;
  } finally {
    await admin.disconnect();
  }
}

async function stop(fleet: Fleet, service: ServiceName): Promise<string[]> {
  const ended = await fleet.stop(service);
  return ended
    .filter((over) => !over.planned && over.exit.code !== 0 && !unborn(over))
    .map(endLine);
}

/** Started again this moment, it was told to end before it could listen, and had done nothing. */
function unborn({ exit, status }: Lifetime): boolean {
  return exit.signal === "SIGTERM" && status["url"] === undefined;
}

/** How a process ended, with its last words on one line. */
export function endLine({ name, lifetime, exit }: Lifetime): string {
  const words = exit.stderr.trim().replace(/\s+/g, " ").slice(0, maxWords);
  return `${name} (process ${lifetime}) ended with ${exit.code ?? exit.signal}: ${words}`;
}

type Offsets = ReadonlyMap<number, number>;

/** Next offsets to be written, of the partitions that hold something. */
export async function endsOf(admin: Admin, topic: string): Promise<Offsets> {
  const offsets = await admin.fetchTopicOffsets(topic);
  const ends = offsets.map(({ partition, high }) => [partition, Number(high)] as const);
  return new Map(ends.filter(([, end]) => end > 0));
}

async function committedBy(admin: Admin, groupId: string, topic: string): Promise<Offsets> {
  const groups = await admin.fetchOffsets({ groupId, topics: [topic] });
  const partitions = groups.flatMap((group) => group.partitions);
  return new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
}

/** Next offsets of the tasks that run, by what their processors say. */
export function appliedBy({ members }: Pick<Fleet, "members">): Offsets {
  const applied = new Map<number, number>();
  for (const { process } of members) {
    const tasks: unknown = process.status["tasks"];
    if (!process.running || !Array.isArray(tasks)) continue;
    for (const task of tasks) {
      const { partition, nextOffset } = { partition: -1, nextOffset: 0, ...Object(task) };
      const next = Math.max(Number(nextOffset), applied.get(Number(partition)) ?? 0);
      applied.set(Number(partition), next);
    }
  }
  return applied;
}

/** Records that `positions` are short of `ends`. */
export function behind(ends: Offsets, positions: Offsets): number {
  let records = 0;
  for (const [partition, end] of ends)
    records += Math.max(0, end - (positions.get(partition) ?? 0));
  return records;
}

/**
 * Whether `holds` came true within the time there is.
 * @throws the signal's reason
 */
export async function settled(
  holds: () => boolean | Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    if (await holds()) return true;
    await sleep(lookEveryMs, undefined, { signal });
  }
  return false;
}
