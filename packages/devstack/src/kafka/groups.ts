import { randomUUID } from "node:crypto";
import type { BrokerClock } from "./clock.ts";
import { ErrorCode } from "./error-codes.ts";
import { Group } from "./group.ts";
import { refusedJoin } from "./group-member.ts";
import type { JoinRequest, JoinResult } from "./group-member.ts";
import type { GroupPorts } from "./group-ports.ts";
import type { CommittedOffsets } from "./offsets.ts";

export type GroupLimits = {
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly initialRebalanceDelayMs: number;
};

/** All consumer groups and their committed offsets. Groups are not kept over a restart: members join again. */
export class Groups {
  readonly offsets: CommittedOffsets;
  readonly #groups = new Map<string, Group>();
  readonly #ports: GroupPorts;
  readonly #limits: GroupLimits;

  constructor(clock: BrokerClock, limits: GroupLimits, offsets: CommittedOffsets) {
    this.#ports = {
      clock,
      nextMemberId: (clientId) => `${clientId}-${randomUUID()}`,
      initialRebalanceDelayMs: limits.initialRebalanceDelayMs,
    };
    this.#limits = limits;
    this.offsets = offsets;
  }

  /** The group; undefined when it has neither members nor a history with this broker. */
  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId);
  }

  /** The group, known from now on. */
  open(groupId: string): Group {
    const group = this.#groups.get(groupId) ?? new Group(groupId, this.#ports);
    this.#groups.set(groupId, group);
    return group;
  }

  /** Ids of groups with members, offsets or a history. */
  ids(): string[] {
    return [...new Set([...this.#groups.keys(), ...this.offsets.groupIds()])];
  }

  join(groupId: string, request: JoinRequest): JoinResult | Promise<JoinResult> {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#limits;
    const { memberId, sessionTimeoutMs } = request;
    if (groupId === "") return refusedJoin(ErrorCode.invalidGroupId, memberId);
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      return refusedJoin(ErrorCode.invalidSessionTimeout, memberId);
    }
    if (!this.#groups.has(groupId) && memberId !== "") {
      return refusedJoin(ErrorCode.unknownMemberId, memberId);
    }
    return this.open(groupId).join(request);
  }

  /** @returns an error code: only groups without members can be deleted */
  remove(groupId: string): number {
    const group = this.#groups.get(groupId);
    if (group === undefined && !this.offsets.has(groupId)) return ErrorCode.groupIdNotFound;
    if (group !== undefined && group.members.length > 0) return ErrorCode.nonEmptyGroup;
    group?.close();
    this.#groups.delete(groupId);
    this.offsets.removeGroup(groupId);
    return 0;
  }

  close(): void {
    for (const group of this.#groups.values()) group.close();
  }
}
