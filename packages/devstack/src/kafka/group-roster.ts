import type { BrokerClock, Cancel } from "./clock.ts";
import { ErrorCode } from "./error-codes.ts";
import { agreedProtocols, electProtocol, refusedJoin, refusedSync } from "./group-member.ts";
import type { JoinRequest, Member, Speaker } from "./group-member.ts";

/** Members of one group and their sessions, and the ids whose owners are expected. */
export class Roster {
  readonly #members = new Map<string, Member>();
  /** Ids given out whose owners have not joined yet: a rebalance waits for them. */
  readonly #expected = new Map<string, Cancel>();
  /** While more members are waited for. */
  #cancelWait: Cancel | undefined;
  readonly #clock: BrokerClock;
  readonly #expired: (member: Member) => void;

  /** `expired` is called when a member's session has ended; it is still in the roster then. */
  constructor(clock: BrokerClock, expired: (member: Member) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  get members(): Member[] {
    return [...this.#members.values()];
  }

  get(memberId: string): Member | undefined {
    return this.#members.get(memberId);
  }

  /** The static member of this instance (KIP-345). */
  owner(instanceId: string | null): Member | undefined {
    if (instanceId === null) return undefined;
    return this.members.find((member) => member.instanceId === instanceId);
  }

  add(member: Member): void {
    this.#members.set(member.id, member);
  }

  /** Removes the member; what it waits for is answered with the code. */
  drop(member: Member, errorCode: number): void {
    member.cancelSession();
    this.#members.delete(member.id);
    member.join?.(refusedJoin(errorCode, member.id));
    member.sync?.(refusedSync(errorCode));
  }

  /** Starts the member's session anew. */
  keepAlive(member: Member): void {
    member.cancelSession();
    member.cancelSession = this.#clock.after(member.sessionTimeoutMs, () => this.#expired(member));
  }

  /** Waits for the owner of a new id; `gaveUp` is called when it does not come in time. */
  expect(memberId: string, timeoutMs: number, gaveUp: () => void): void {
    const cancel = this.#clock.after(timeoutMs, () => {
      this.#expected.delete(memberId);
      gaveUp();
    });
    this.#expected.set(memberId, cancel);
  }

  /** @returns false when the id was not given out, or too long ago */
  arrived(memberId: string): boolean {
    this.#expected.get(memberId)?.();
    return this.#expected.delete(memberId);
  }

  /** Waits for members nobody knows of yet; `over` is called when the time has passed. */
  waitForMore(delayMs: number, over: () => void): void {
    this.#cancelWait?.();
    this.#cancelWait = this.#clock.after(delayMs, () => {
      this.#cancelWait = undefined;
      over();
    });
  }

  /** True when nobody has to be waited for to complete a rebalance. */
  get complete(): boolean {
    if (this.#cancelWait !== undefined) return false;
    return this.#expected.size === 0 && this.members.every(({ join }) => join !== undefined);
  }

  get joined(): Member[] {
    return this.members.filter(({ join }) => join !== undefined);
  }

  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...this.members.map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs));
  }

  /** The protocol most members prefer of those all offer. */
  electProtocol(): string {
    return electProtocol(this.members.map(({ protocols }) => protocols));
  }

  /** True when the protocols offered go together with those of all other members. */
  accepts({ memberId, protocolType, protocols }: JoinRequest, groupType: string): boolean {
    if (protocolType === "" || protocols.length === 0) return false;
    const others = this.members.filter(({ id }) => id !== memberId);
    if (others.length === 0) return true;
    const offers = [protocols, ...others.map((other) => other.protocols)];
    return protocolType === groupType && agreedProtocols(offers).length > 0;
  }

  /** An error code when the speaker is not the member of this generation that it says it is. */
  refusal({ memberId, instanceId, generation }: Speaker, current: number): number {
    const owner = this.owner(instanceId);
    if (owner !== undefined && owner.id !== memberId) return ErrorCode.fencedInstanceId;
    if (!this.#members.has(memberId)) return ErrorCode.unknownMemberId;
    return generation === current ? 0 : ErrorCode.illegalGeneration;
  }

  /** Stops all timers. */
  close(): void {
    this.#cancelWait?.();
    for (const cancel of this.#expected.values()) cancel();
    for (const member of this.#members.values()) member.cancelSession();
  }
}
