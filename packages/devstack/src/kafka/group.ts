import type { BrokerClock, Cancel } from "./clock.ts";
import { ErrorCode } from "./error-codes.ts";
import {
  agreedProtocols,
  createMember,
  electProtocol,
  metadataFor,
  refusedJoin,
  refusedSync,
  sameProtocols,
} from "./group-member.ts";
import type { JoinRequest, JoinResult, Member, SyncResult } from "./group-member.ts";

export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";

/** Who speaks, as every request behind the join says it. */
export type Speaker = {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
};

export type GroupPorts = {
  readonly clock: BrokerClock;
  /** A new member id that nobody can guess or has had before. */
  readonly nextMemberId: (clientId: string) => string;
};

/**
 * One consumer group under the classic protocol, as Kafka's coordinator keeps it:
 *
 *   Empty ─join─▶ PreparingRebalance ─all joined─▶ CompletingRebalance ─leader synced─▶ Stable
 *                   ▲      └──── none left: Empty        │                               │
 *                   └──── join, leave, session or rebalance time-out, new metadata ──────┘
 *
 * Joins wait until every known member has joined again or the longest rebalance time-out has passed; those who did
 * not come are removed. A member that waits in a join or sync does not expire: the connection it waits on is its
 * heartbeat. Static members (KIP-345) come back under a new id without a rebalance while the group is stable.
 */
export class Group {
  readonly id: string;
  readonly #ports: GroupPorts;
  readonly #members = new Map<string, Member>();
  /** Ids given out whose owners have not joined yet: a rebalance waits for them. */
  readonly #pending = new Map<string, Cancel>();
  #state: GroupState = "Empty";
  #generation = 0;
  #leaderId = "";
  #protocolType = "";
  #protocolName = "";
  #cancelDeadline: Cancel = () => {};

  constructor(id: string, ports: GroupPorts) {
    this.id = id;
    this.#ports = ports;
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
    return [...this.#members.values()];
  }

  /** Answers when the rebalance this join belongs to is complete. */
  join(request: JoinRequest): JoinResult | Promise<JoinResult> {
    const { memberId, instanceId } = request;
    if (!this.#accepts(request)) return refusedJoin(ErrorCode.inconsistentGroupProtocol, memberId);
    const owner = this.#staticMember(instanceId);
    if (memberId === "") {
      if (owner !== undefined) return this.#replaceStatic(owner, request);
      const newId = this.#ports.nextMemberId(request.clientId);
      if (!request.idRequired || instanceId !== null) return this.#enter(newId, request);
      this.#expect(newId, request.sessionTimeoutMs);
      return refusedJoin(ErrorCode.memberIdRequired, newId);
    }
    const member = this.#members.get(memberId);
    if (owner !== undefined && owner.id !== memberId) {
      return refusedJoin(ErrorCode.fencedInstanceId, memberId);
    }
    if (member !== undefined) return this.#rejoin(member, request);
    if (!this.#pending.has(memberId)) return refusedJoin(ErrorCode.unknownMemberId, memberId);
    return this.#enter(memberId, request);
  }

  /** Answers when the leader has sent the assignments. `assignments` is what the leader divided, else empty. */
  sync(
    speaker: Speaker,
    assignments: ReadonlyMap<string, Buffer>,
  ): SyncResult | Promise<SyncResult> {
    const refusal = this.#refusal(speaker);
    const member = this.#members.get(speaker.memberId);
    if (refusal !== 0 || member === undefined) return refusedSync(refusal);
    if (this.#state === "PreparingRebalance") return refusedSync(ErrorCode.rebalanceInProgress);
    member.syncedGeneration = this.#generation;
    this.#keepAlive(member);
    if (this.#state === "CompletingRebalance" && member.id === this.#leaderId) {
      this.#settle(assignments);
    }
    if (this.#state === "Stable") return { errorCode: 0, assignment: member.assignment };
    member.cancelSession();
    member.sync?.(refusedSync(ErrorCode.rebalanceInProgress));
    return new Promise((resolve) => {
      member.sync = resolve;
    });
  }

  heartbeat(speaker: Speaker): number {
    const refusal = this.#refusal(speaker);
    const member = this.#members.get(speaker.memberId);
    if (refusal !== 0 || member === undefined) return refusal;
    this.#keepAlive(member);
    return this.#state === "PreparingRebalance" ? ErrorCode.rebalanceInProgress : 0;
  }

  leave(memberId: string, instanceId: string | null): number {
    const owner = this.#staticMember(instanceId);
    if (instanceId !== null && owner === undefined) return ErrorCode.unknownMemberId;
    if (owner !== undefined && memberId !== "" && owner.id !== memberId) {
      return ErrorCode.fencedInstanceId;
    }
    const member = owner ?? this.#members.get(memberId);
    if (member !== undefined) {
      this.#remove(member);
      return 0;
    }
    return this.#forget(memberId) ? 0 : ErrorCode.unknownMemberId;
  }

  /**
   * 0 when the speaker may commit offsets now; it counts as a heartbeat. Without member and generation (tools,
   * assigned consumers) only while nobody is in the group. Between join and sync the answer is to come back.
   */
  commitRefusal(speaker: Speaker): number {
    const anonymous =
      speaker.generation < 0 && speaker.memberId === "" && speaker.instanceId === null;
    if (speaker.generation < 0 && this.#state === "Empty") return 0;
    if (anonymous) return ErrorCode.unknownMemberId;
    const refusal = this.#refusal(speaker);
    if (refusal !== 0) return refusal;
    if (this.#state === "CompletingRebalance") return ErrorCode.rebalanceInProgress;
    const member = this.#members.get(speaker.memberId);
    if (member !== undefined) this.#keepAlive(member);
    return 0;
  }

  /** Stops all timers. */
  close(): void {
    this.#cancelDeadline();
    for (const cancel of this.#pending.values()) cancel();
    for (const member of this.#members.values()) member.cancelSession();
  }

  #accepts({ memberId, protocolType, protocols }: JoinRequest): boolean {
    if (protocolType === "" || protocols.length === 0) return false;
    const others = this.members.filter(({ id }) => id !== memberId);
    if (others.length === 0) return true;
    const offers = [...others.map((other) => other.protocols), protocols];
    return protocolType === this.#protocolType && agreedProtocols(offers).length > 0;
  }

  #staticMember(instanceId: string | null): Member | undefined {
    if (instanceId === null) return undefined;
    return this.members.find((member) => member.instanceId === instanceId);
  }

  #refusal({ memberId, instanceId, generation }: Speaker): number {
    const owner = this.#staticMember(instanceId);
    if (owner !== undefined && owner.id !== memberId) return ErrorCode.fencedInstanceId;
    if (!this.#members.has(memberId)) return ErrorCode.unknownMemberId;
    return generation === this.#generation ? 0 : ErrorCode.illegalGeneration;
  }

  #expect(memberId: string, sessionTimeoutMs: number): void {
    const cancel = this.#ports.clock.after(sessionTimeoutMs, () => this.#forget(memberId));
    this.#pending.set(memberId, cancel);
  }

  #forget(memberId: string): boolean {
    this.#pending.get(memberId)?.();
    const known = this.#pending.delete(memberId);
    if (known) this.#completeWhenAllJoined();
    return known;
  }

  #enter(memberId: string, request: JoinRequest): Promise<JoinResult> {
    this.#pending.get(memberId)?.();
    this.#pending.delete(memberId);
    const member = createMember(memberId, request);
    this.#members.set(memberId, member);
    this.#protocolType = request.protocolType;
    return this.#awaitJoin(member);
  }

  #rejoin(member: Member, request: JoinRequest): JoinResult | Promise<JoinResult> {
    const unchanged = sameProtocols(member.protocols, request.protocols);
    const answered =
      this.#state === "CompletingRebalance" ||
      (this.#state === "Stable" && member.id !== this.#leaderId);
    member.protocols = request.protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    if (!answered || !unchanged) return this.#awaitJoin(member);
    this.#keepAlive(member);
    return this.#joined(member);
  }

  #replaceStatic(old: Member, request: JoinRequest): JoinResult | Promise<JoinResult> {
    const member = createMember(this.#ports.nextMemberId(request.clientId), request);
    member.assignment = old.assignment;
    member.syncedGeneration = old.syncedGeneration;
    const oldLeaderId = this.#leaderId;
    this.#drop(old, ErrorCode.fencedInstanceId);
    this.#members.set(member.id, member);
    if (oldLeaderId === old.id) this.#leaderId = member.id;
    const subscription = metadataFor(member, this.#protocolName);
    const unchanged = subscription.equals(metadataFor(old, this.#protocolName));
    if (this.#state !== "Stable" || !unchanged) return this.#awaitJoin(member);
    this.#keepAlive(member);
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
    for (const member of this.#members.values()) {
      if (member.sync === undefined) continue;
      this.#keepAlive(member);
      member.sync(refusedSync(ErrorCode.rebalanceInProgress));
      member.sync = undefined;
    }
    this.#state = "PreparingRebalance";
    this.#armDeadline(() => this.#endJoining());
    this.#completeWhenAllJoined();
  }

  #armDeadline(run: () => void): void {
    this.#cancelDeadline();
    const timeoutsMs = this.members.map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs);
    this.#cancelDeadline = this.#ports.clock.after(Math.max(0, ...timeoutsMs), run);
  }

  #completeWhenAllJoined(): void {
    const missing = this.#pending.size > 0 || this.members.some(({ join }) => join === undefined);
    if (this.#state === "PreparingRebalance" && !missing) this.#completeJoin();
  }

  /** The rebalance time-out has passed: static members may still come back within their session. */
  #endJoining(): void {
    for (const member of this.members) {
      if (member.join === undefined && member.instanceId === null) {
        this.#drop(member, ErrorCode.unknownMemberId);
      }
    }
    const joined = this.members.some(({ join }) => join !== undefined);
    if (joined || this.#members.size === 0) this.#completeJoin();
    else this.#armDeadline(() => this.#endJoining());
  }

  #completeJoin(): void {
    this.#cancelDeadline();
    this.#generation += 1;
    const joined = this.members.filter(({ join }) => join !== undefined);
    const [first] = joined;
    if (first === undefined) {
      this.#state = "Empty";
      this.#protocolName = "";
      this.#leaderId = "";
      return;
    }
    this.#state = "CompletingRebalance";
    this.#protocolName = electProtocol(this.members.map(({ protocols }) => protocols));
    if (!joined.some(({ id }) => id === this.#leaderId)) this.#leaderId = first.id;
    for (const member of joined) {
      this.#keepAlive(member);
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
    for (const member of this.#members.values()) {
      member.assignment = assignments.get(member.id) ?? Buffer.alloc(0);
      if (member.sync === undefined) continue;
      this.#keepAlive(member);
      member.sync({ errorCode: 0, assignment: member.assignment });
      member.sync = undefined;
    }
  }

  #removeUnsynced(): void {
    const unsynced = this.members.filter((one) => one.syncedGeneration !== this.#generation);
    for (const member of unsynced) this.#drop(member, ErrorCode.unknownMemberId);
    if (unsynced.length > 0) this.#rebalance();
  }

  #keepAlive(member: Member): void {
    member.cancelSession();
    member.cancelSession = this.#ports.clock.after(member.sessionTimeoutMs, () => {
      this.#remove(member);
    });
  }

  #remove(member: Member): void {
    this.#drop(member, ErrorCode.unknownMemberId);
    if (this.#state === "PreparingRebalance") this.#completeWhenAllJoined();
    else this.#rebalance();
  }

  #drop(member: Member, errorCode: number): void {
    member.cancelSession();
    this.#members.delete(member.id);
    member.join?.(refusedJoin(errorCode, member.id));
    member.sync?.(refusedSync(errorCode));
  }
}
