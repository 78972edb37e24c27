import type { Cancel } from "./clock.ts";
import { ErrorCode } from "./error-codes.ts";
import {
  createMember,
  metadataFor,
  refusedJoin,
  refusedSync,
  sameProtocols,
} from "./group-member.ts";
import type { JoinRequest, JoinResult, Member, Speaker, SyncResult } from "./group-member.ts";
import type { GroupPorts, GroupState } from "./group-ports.ts";
import { Roster } from "./group-roster.ts";

/**
 * One consumer group under the classic protocol, as Kafka's coordinator keeps it:
 *
 *   Empty ─join─▶ PreparingRebalance ─all joined─▶ CompletingRebalance ─leader synced─▶ Stable
 *                   ▲      └──── none left: Empty        │                               │
 *                   └──── join, leave, session or rebalance time-out, new metadata ──────┘
 *
 * Joins wait until every known member has joined again or the longest rebalance time-out has passed; those who did
 * not come are removed. An empty group waits for more members first, if it is told to. A member that waits in a join or sync does not expire: the connection it waits on is its
 * heartbeat. Static members (KIP-345) come back under a new id without a rebalance while the group is stable.
 */
export class Group {
  readonly id: string;
  readonly #ports: GroupPorts;
  readonly #roster: Roster;
  #state: GroupState = "Empty";
  #generation = 0;
  #leaderId = "";
  #protocolType = "";
  #protocolName = "";
  #cancelDeadline: Cancel = () => {};

  constructor(id: string, ports: GroupPorts) {
    this.id = id;
    this.#ports = ports;
    this.#roster = new Roster(ports.clock, (member) => this.#remove(member));
  }

  get state(): GroupState {
    return this.#state;
  }

  get generation(): number {
    return this.#generation;
  }

  get protocolType(): string {
    return this.#protocolType;
  }

  get protocolName(): string {
    return this.#protocolName;
  }

  get members(): readonly Member[] {
    return this.#roster.members;
  }

  /** Answers when the rebalance this join belongs to is complete. */
  join(request: JoinRequest): JoinResult | Promise<JoinResult> {
    const { memberId, instanceId } = request;
    if (!this.#roster.accepts(request, this.#protocolType)) {
      return refusedJoin(ErrorCode.inconsistentGroupProtocol, memberId);
    }
    const owner = this.#roster.owner(instanceId);
    if (memberId === "") {
      if (owner !== undefined) return this.#replaceStatic(owner, request);
      const newId = this.#ports.nextMemberId(request.clientId);
      if (!request.idRequired || instanceId !== null) return this.#enter(newId, request);
      const gaveUp = (): void => this.#completeWhenAllJoined();
      this.#roster.expect(newId, request.sessionTimeoutMs, gaveUp);
      return refusedJoin(ErrorCode.memberIdRequired, newId);
    }
    if (owner !== undefined && owner.id !== memberId) {
      return refusedJoin(ErrorCode.fencedInstanceId, memberId);
    }
    const member = this.#roster.get(memberId);
    if (member !== undefined) return this.#rejoin(member, request);
    if (this.#roster.arrived(memberId)) return this.#enter(memberId, request);
    return refusedJoin(ErrorCode.unknownMemberId, memberId);
  }

  /** Answers when the leader has sent the assignments. `assignments` is what the leader divided, else empty. */
  sync(
    speaker: Speaker,
    assignments: ReadonlyMap<string, Buffer>,
  ): SyncResult | Promise<SyncResult> {
    const refusal = this.#roster.refusal(speaker, this.#generation);
    const member = this.#roster.get(speaker.memberId);
    if (refusal !== 0 || member === undefined) return refusedSync(refusal);
    if (this.#state === "PreparingRebalance") return refusedSync(ErrorCode.rebalanceInProgress);
    member.syncedGeneration = this.#generation;
    this.#roster.keepAlive(member);
    const leads = member.id === this.#leaderId;
    if (this.#state === "CompletingRebalance" && leads) this.#settle(assignments);
    if (this.#state === "Stable") return { errorCode: 0, assignment: member.assignment };
    member.cancelSession();
    member.sync?.(refusedSync(ErrorCode.rebalanceInProgress));
    return new Promise((resolve) => {
      member.sync = resolve;
    });
  }

  heartbeat(speaker: Speaker): number {
    const refusal = this.#roster.refusal(speaker, this.#generation);
    const member = this.#roster.get(speaker.memberId);
    if (refusal !== 0 || member === undefined) return refusal;
    this.#stillThere(member);
    return this.#state === "PreparingRebalance" ? ErrorCode.rebalanceInProgress : 0;
  }

  leave(memberId: string, instanceId: string | null): number {
    const owner = this.#roster.owner(instanceId);
    if (instanceId !== null && owner === undefined) return ErrorCode.unknownMemberId;
    if (owner !== undefined && memberId !== "" && owner.id !== memberId) {
      return ErrorCode.fencedInstanceId;
    }
    const member = owner ?? this.#roster.get(memberId);
    if (member !== undefined) this.#remove(member);
    else if (this.#roster.arrived(memberId)) this.#completeWhenAllJoined();
    else return ErrorCode.unknownMemberId;
    return 0;
  }

  /**
   * 0 when the speaker may commit offsets now; it counts as a heartbeat. Without member and generation (tools,
   * assigned consumers) only while nobody is in the group. Between join and sync the answer is to come back.
   */
  commitRefusal(speaker: Speaker): number {
    if (speaker.generation < 0 && this.#state === "Empty") return 0;
    const refusal = this.#roster.refusal(speaker, this.#generation);
    if (refusal !== 0) return refusal;
    if (this.#state === "CompletingRebalance") return ErrorCode.rebalanceInProgress;
    const member = this.#roster.get(speaker.memberId);
    if (member !== undefined) this.#stillThere(member);
    return 0;
  }

  /** Stops all timers. */
  close(): void {
    this.#cancelDeadline();
    this.#roster.close();
  }

  /** A session does not run while the member waits for us: it must not be started by a second connection. */
  #stillThere(member: Member): void {
    if (member.join === undefined && member.sync === undefined) this.#roster.keepAlive(member);
  }

  #enter(memberId: string, request: JoinRequest): Promise<JoinResult> {
    const member = createMember(memberId, request);
    const { initialRebalanceDelayMs: delayMs } = this.#ports;
    if (this.#state === "Empty" && delayMs > 0) {
      this.#roster.waitForMore(delayMs, () => this.#completeWhenAllJoined());
    }
    this.#roster.add(member);
    this.#protocolType = request.protocolType;
    return this.#awaitJoin(member);
  }

  #rejoin(member: Member, request: JoinRequest): JoinResult | Promise<JoinResult> {
    const unchanged = sameProtocols(member.protocols, request.protocols);
    const leads = member.id === this.#leaderId;
    const settled = this.#state === "CompletingRebalance" || (this.#state === "Stable" && !leads);
    member.protocols = request.protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    if (!settled || !unchanged) return this.#awaitJoin(member);
    this.#stillThere(member);
    return this.#joined(member);
  }

  #replaceStatic(old: Member, request: JoinRequest): JoinResult | Promise<JoinResult> {
    const member = createMember(this.#ports.nextMemberId(request.clientId), request);
    member.assignment = old.assignment;
    member.syncedGeneration = old.syncedGeneration;
    const oldLeaderId = this.#leaderId;
    this.#roster.drop(old, ErrorCode.fencedInstanceId);
    this.#roster.add(member);
    if (oldLeaderId === old.id) this.#leaderId = member.id;
    const subscription = metadataFor(member, this.#protocolName);
    const unchanged = subscription.equals(metadataFor(old, this.#protocolName));
    if (this.#state !== "Stable" || !unchanged) return this.#awaitJoin(member);
    this.#roster.keepAlive(member);
    // A leader is named by its old id, so that it does not divide anew: there is nothing to divide.
    return { ...this.#joined(member), leaderId: oldLeaderId, members: [] };
  }

  #awaitJoin(member: Member): Promise<JoinResult> {
    member.cancelSession();
    member.join?.(refusedJoin(ErrorCode.rebalanceInProgress, member.id));
    const joined = new Promise<JoinResult>((resolve) => {
      member.join = resolve;
    });
    if (this.#state === "PreparingRebalance") this.#completeWhenAllJoined();
    else this.#rebalance();
    return joined;
  }

  #rebalance(): void {
    for (const member of this.members) {
      if (member.sync === undefined) continue;
      if (member.join === undefined) this.#roster.keepAlive(member);
      member.sync(refusedSync(ErrorCode.rebalanceInProgress));
      member.sync = undefined;
    }
    this.#state = "PreparingRebalance";
    this.#armDeadline(() => this.#endJoining());
    this.#completeWhenAllJoined();
  }

  #armDeadline(run: () => void): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#ports.clock.after(this.#roster.rebalanceTimeoutMs, run);
  }

  #completeWhenAllJoined(): void {
    if (this.#state === "PreparingRebalance" && this.#roster.complete) this.#completeJoin();
  }

  /** The rebalance time-out has passed: static members may still come back within their session. */
  #endJoining(): void {
    for (const member of this.members) {
      if (member.join === undefined && member.instanceId === null) {
        this.#roster.drop(member, ErrorCode.unknownMemberId);
      }
    }
    if (this.#roster.joined.length > 0 || this.members.length === 0) this.#completeJoin();
    else this.#armDeadline(() => this.#endJoining());
  }

  #completeJoin(): void {
    this.#cancelDeadline();
    this.#generation += 1;
    const { joined } = this.#roster;
    const [first] = joined;
    if (first === undefined) {
      this.#state = "Empty";
      this.#protocolName = "";
      this.#leaderId = "";
      return;
    }
    this.#state = "CompletingRebalance";
    this.#protocolName = this.#roster.electProtocol();
    if (!joined.some(({ id }) => id === this.#leaderId)) this.#leaderId = first.id;
    for (const member of joined) {
      this.#roster.keepAlive(member);
      member.join?.(this.#joined(member));
      member.join = undefined;
    }
    this.#armDeadline(() => this.#removeUnsynced());
  }

  #joined(member: Member): JoinResult {
    const protocolName = this.#protocolName;
    const everybody = this.members.map((one) => ({
      memberId: one.id,
      instanceId: one.instanceId,
      metadata: metadataFor(one, protocolName),
    }));
    return {
      errorCode: 0,
      memberId: member.id,
      generation: this.#generation,
      protocolName,
      leaderId: this.#leaderId,
      members: member.id === this.#leaderId ? everybody : [],
    };
  }

  #settle(assignments: ReadonlyMap<string, Buffer>): void {
    this.#state = "Stable";
    for (const member of this.members) {
      member.assignment = assignments.get(member.id) ?? Buffer.alloc(0);
      if (member.sync === undefined) continue;
      this.#roster.keepAlive(member);
      member.sync({ errorCode: 0, assignment: member.assignment });
      member.sync = undefined;
    }
  }

  #removeUnsynced(): void {
    const unsynced = this.members.filter((one) => one.syncedGeneration !== this.#generation);
    for (const member of unsynced) this.#roster.drop(member, ErrorCode.unknownMemberId);
    if (unsynced.length > 0) this.#rebalance();
  }

  #remove(member: Member): void {
    this.#roster.drop(member, ErrorCode.unknownMemberId);
    if (this.#state === "PreparingRebalance") this.#completeWhenAllJoined();
    else this.#rebalance();
  }
}
