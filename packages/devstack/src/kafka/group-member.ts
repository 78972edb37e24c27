import type { Cancel } from "./clock.ts";

/** One way to divide partitions that a member offers, in order of preference, with its subscription. */
export type Protocol = { readonly name: string; readonly metadata: Buffer };

export type JoinRequest = {
  /** Empty: a new member. */
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
  /** From version 4 on a new member is first given an id and asked to come back with it (KIP-394). */
  readonly idRequired: boolean;
};

export type JoinedMember = {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly metadata: Buffer;
};

export type JoinResult = {
  readonly errorCode: number;
  readonly memberId: string;
  readonly generation: number;
  readonly protocolName: string;
  readonly leaderId: string;
  /** For the leader only: everybody, to divide the partitions among. */
  readonly members: readonly JoinedMember[];
};

/** Who speaks, as every request behind the join says it. */
export type Speaker = {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
};

export type SyncResult = { readonly errorCode: number; readonly assignment: Buffer };

export type Member = {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[];
  assignment: Buffer;
  /** Answers the join the member waits in. */
  join: ((result: JoinResult) => void) | undefined;
  /** Answers the sync the member waits in. */
  sync: ((result: SyncResult) => void) | undefined;
  /** Generation of the last sync: who never syncs is removed. */
  syncedGeneration: number;
  cancelSession: Cancel;
};

const NO_BYTES = Buffer.alloc(0);

export function refusedJoin(errorCode: number, memberId: string): JoinResult {
  return { errorCode, memberId, generation: -1, protocolName: "", leaderId: "", members: [] };
}

export function refusedSync(errorCode: number): SyncResult {
  return { errorCode, assignment: NO_BYTES };
}

export function createMember(id: string, request: JoinRequest): Member {
  return {
    id,
    instanceId: request.instanceId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    protocols: request.protocols,
    assignment: NO_BYTES,
    join: undefined,
    sync: undefined,
    syncedGeneration: -1,
    cancelSession: () => {},
  };
}

export function sameProtocols(one: readonly Protocol[], other: readonly Protocol[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ name, metadata }, index) => {
      const second = other[index];
      return second !== undefined && second.name === name && second.metadata.equals(metadata);
    })
  );
}

export function metadataFor(member: Member, protocolName: string): Buffer {
  return member.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_BYTES;
}

/** Names every member offers. */
export function agreedProtocols(offers: readonly (readonly Protocol[])[]): string[] {
  const [first, ...others] = offers;
  const names = (first ?? []).map(({ name }) => name);
  return names.filter((name) => others.every((offer) => offer.some((one) => one.name === name)));
}

/** Each member votes for the first it offers of those all offer; most votes win. */
export function electProtocol(offers: readonly (readonly Protocol[])[]): string {
  const agreed = agreedProtocols(offers);
  const votes = new Map(agreed.map((name) => [name, 0]));
  for (const offer of offers) {
    const choice = offer.find(({ name }) => votes.has(name));
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
  }
  let elected = agreed[0] ?? "";
  for (const [name, count] of votes) if (count > (votes.get(elected) ?? 0)) elected = name;
  return elected;
}
