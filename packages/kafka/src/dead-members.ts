import type { KafkaConnection } from "./connection.ts";
import { toStreamError } from "./error-map.ts";
import type { Log } from "./kafkajs-log.ts";
import { knownDead, type ProcessTable, procTable } from "./process-identity.ts";

/** The part of kafkajs that its public types leave out. */
type Cluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  findGroupCoordinator(of: { groupId: string }): Promise<Coordinator>;
};
type Coordinator = {
  describeGroups(of: { groupIds: string[] }): Promise<{
    groups: { members: { memberId: string; clientId: string }[] }[];
  }>;
  leaveGroup(of: { groupId: string; memberId: string }): Promise<unknown>;
};

const createClusterSymbol = "private:Kafka:createCluster";

/**
 * Leaves the group for members whose processes are known to be dead, so that nobody waits for their sessions to end: a
 * process that was killed and started again would otherwise keep the whole group from work for that long, since the
 * rebalance that its coming back begins waits for its former self.
 *
 * A wrong guess would be harmless: a member that lives finds itself unknown and joins again, and what it owned is
 * fenced by its checkpoints. Best effort: whatever fails here is only slower.
 */
export async function leaveForTheDead(
  { kafka, groupId, log }: { kafka: KafkaConnection; groupId: string; log: Log },
  table: ProcessTable = procTable(),
): Promise<void> {
  const cluster = table.machine === undefined ? undefined : clusterOf(kafka);
  if (cluster === undefined) return;
  try {
    await cluster.connect();
    const coordinator = await cluster.findGroupCoordinator({ groupId });
    const { groups } = await coordinator.describeGroups({ groupIds: [groupId] });
    const members = groups.flatMap((group) => group.members);
    for (const { memberId, clientId } of members) {
      if (!knownDead(clientId, table)) continue;
      await coordinator.leaveGroup({ groupId, memberId });
      log.info({ groupId, memberId }, "left the group for a member that is dead");
    }
  } catch (error) {
    const { code } = toStreamError(error, `looking at the members of ${groupId}`);
    log.debug({ groupId, code }, "members of the group not looked at");
  } finally {
    await cluster.disconnect().catch(() => {});
  }
}

function clusterOf(kafka: KafkaConnection): Cluster | undefined {
  const symbols = Object.getOwnPropertySymbols(kafka);
  const symbol = symbols.find(({ description }) => description === createClusterSymbol);
  const create: unknown = symbol === undefined ? undefined : Reflect.get(kafka, symbol);
  return typeof create === "function" ? create({}) : undefined;
}
