import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../src/kafka/error-codes.ts";
import { Group } from "../../src/kafka/group.ts";
import type { JoinRequest, JoinResult, SyncResult } from "../../src/kafka/group-member.ts";
import { ManualClock } from "./manual-clock.ts";

const SESSION_MS = 10_000;
const REBALANCE_MS = 60_000;

class Harness {
  readonly clock = new ManualClock();
  readonly group: Group;
  #ids = 0;

  constructor(initialRebalanceDelayMs = 0) {
    const nextMemberId = (): string => `m${++this.#ids}`;
    const { clock } = this;
    this.group = new Group("g", { clock, nextMemberId, initialRebalanceDelayMs });
  }

  join(change: Partial<JoinRequest> = {}): Promise<JoinResult> {
    const joined = this.group.join({
      memberId: "",
      instanceId: null,
      clientId: "client",
      clientHost: "/127.0.0.1",
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: Buffer.from("topics") }],
      idRequired: false,
      ...change,
    });
    return Promise.resolve(joined);
  }

  sync(
    memberId: string,
    assignments: Record<string, string> = {},
  ): SyncResult | Promise<SyncResult> {
    const bytes = Object.entries(assignments).map(([id, text]) => [id, Buffer.from(text)] as const);
    return this.group.sync(this.speaker(memberId), new Map(bytes));
  }

  speaker(memberId: string, generation = this.group.generation) {
    return { memberId, instanceId: null, generation };
  }

  heartbeat(memberId: string, generation?: number): number {
    return this.group.heartbeat(this.speaker(memberId, generation));
  }

  /** A stable group of m1 (leader) and m2, generation 2. */
  static async stable(): Promise<Harness> {
    const harness = new Harness();
    await harness.join();
    const second = harness.join();
    const first = harness.join({ memberId: "m1" });
    await Promise.all([first, second]);
    const synced = harness.sync("m2");
    await harness.sync("m1", { m1: "one", m2: "two" });
    await synced;
    return harness;
  }
}

describe("joining", () => {
  test("the first member leads, hears of everybody and gives the assignments", async () => {
    const harness = new Harness();
    const joined = await harness.join();
    expect(joined).toMatchObject({ errorCode: 0, memberId: "m1", leaderId: "m1", generation: 1 });
    expect(joined.members.map(({ memberId }) => memberId)).toEqual(["m1"]);
    expect(harness.group.state).toBe("CompletingRebalance");
    expect(await harness.sync("m1", { m1: "all" })).toEqual({
      errorCode: 0,
      assignment: Buffer.from("all"),
    });
    expect(harness.group.state).toBe("Stable");
  });

  test("an empty group waits for members that start together, and divides once", async () => {
    const harness = new Harness(3_000);
    const first = harness.join();
    harness.clock.advance(2_999);
    const second = harness.join();
    expect(harness.group.state).toBe("PreparingRebalance");
    harness.clock.advance(1);
    expect((await first).members.map(({ memberId }) => memberId)).toEqual(["m1", "m2"]);
    expect(await second).toMatchObject({ generation: 1, leaderId: "m1" });
    // The group is not empty any more: who comes now is not waited for.
    const third = harness.join();
    await Promise.all(["m1", "m2"].map((memberId) => harness.join({ memberId })));
    expect(await third).toMatchObject({ generation: 2 });
  });

  test("who leaves while more members are waited for leaves an empty group", async () => {
    const harness = new Harness(3_000);
    const joined = harness.join();
    expect(harness.group.leave("m1", null)).toBe(0);
    expect((await joined).errorCode).toBe(ErrorCode.unknownMemberId);
    harness.clock.advance(3_000);
    expect(harness.group.state).toBe("Empty");
  });

  test("a second member makes a new generation once the first has joined again", async () => {
    const harness = await Harness.stable();
    expect(harness.group.generation).toBe(2);
    expect(harness.group.members.map(({ assignment }) => String(assignment))).toEqual([
      "one",
      "two",
    ]);
  });

  test("from version 4 on a new member first gets its id, and a rebalance waits for it", async () => {
    const harness = new Harness();
    expect(await harness.join({ idRequired: true })).toMatchObject({
      errorCode: 79,
      memberId: "m1",
    });
    const other = harness.join();
    expect(harness.group.state).toBe("PreparingRebalance");
    const came = harness.join({ memberId: "m1", idRequired: true });
    expect(await came).toMatchObject({ errorCode: 0, generation: 1 });
    expect(await other).toMatchObject({ errorCode: 0, generation: 1 });
  });

  test("an id that is not claimed within the session time-out is forgotten", async () => {
    const harness = new Harness();
    await harness.join({ idRequired: true });
    const other = harness.join();
    harness.clock.advance(SESSION_MS);
    expect(await other).toMatchObject({ errorCode: 0, generation: 1 });
    expect(await harness.join({ memberId: "m1" })).toMatchObject({ errorCode: 25 });
  });

  test.each([
    { name: "a member nobody knows", change: { memberId: "stranger" }, errorCode: 25 },
    { name: "another protocol type", change: { protocolType: "connect" }, errorCode: 23 },
    { name: "no protocol at all", change: { protocols: [] }, errorCode: 23 },
    {
      name: "no protocol in common",
      change: { protocols: [{ name: "sticky", metadata: Buffer.alloc(0) }] },
      errorCode: 23,
    },
  ])("$name is refused with $errorCode", async ({ change, errorCode }) => {
    const harness = await Harness.stable();
    expect(await harness.join(change)).toMatchObject({ errorCode });
    expect(harness.group.state).toBe("Stable");
  });

  test("the protocol most members prefer, of those all offer, is chosen", async () => {
    const harness = new Harness();
    const offer = (...names: string[]) =>
      names.map((name) => ({ name, metadata: Buffer.from(name) }));
    await harness.join({ protocols: offer("a", "b", "c") });
    const others = [
      harness.join({ protocols: offer("c", "b") }),
      harness.join({ protocols: offer("c", "b") }),
    ];
    const leader = await harness.join({ memberId: "m1", protocols: offer("a", "b", "c") });
    await Promise.all(others);
    expect(leader.protocolName).toBe("c");
    expect(leader.members.map(({ metadata }) => String(metadata))).toEqual(["c", "c", "c"]);
  });

  test("a follower that joins again with nothing new gets its generation back without a rebalance", async () => {
    const harness = await Harness.stable();
    expect(await harness.join({ memberId: "m2" })).toMatchObject({ generation: 2, leaderId: "m1" });
    expect(harness.group.state).toBe("Stable");
  });

  test("a leader that joins again starts a rebalance", async () => {
    const harness = await Harness.stable();
    const leader = harness.join({ memberId: "m1" });
    expect(harness.heartbeat("m2")).toBe(27);
    await harness.join({ memberId: "m2" });
    expect(await leader).toMatchObject({ generation: 3 });
  });
});

describe("time-outs", () => {
  test("a silent member is removed after its session time-out, and the others rebalance", async () => {
    const harness = await Harness.stable();
    harness.clock.advance(SESSION_MS - 1);
    expect(harness.heartbeat("m1")).toBe(0);
    harness.clock.advance(1);
    expect(harness.group.members.map(({ id }) => id)).toEqual(["m1"]);
    expect(harness.heartbeat("m1")).toBe(27);
    expect(harness.heartbeat("m2")).toBe(25);
  });

  test("who does not join again within the rebalance time-out is removed", async () => {
    const harness = await Harness.stable();
    const leader = harness.join({ memberId: "m1" });
    for (let passedMs = 0; passedMs < REBALANCE_MS; passedMs += 5000) {
      expect(harness.heartbeat("m2")).toBe(27);
      harness.clock.advance(5000);
    }
    expect(await leader).toMatchObject({ errorCode: 0, generation: 3 });
    expect(harness.heartbeat("m2")).toBe(25);
  });

  test("a member that waits in its join does not expire", async () => {
    const harness = await Harness.stable();
    const leader = harness.join({ memberId: "m1" });
    for (let passedMs = 0; passedMs < SESSION_MS * 3; passedMs += 5000) {
      harness.clock.advance(5000);
      harness.heartbeat("m2");
    }
    expect(harness.group.members).toHaveLength(2);
    await harness.join({ memberId: "m2" });
    expect(await leader).toMatchObject({ errorCode: 0 });
  });

  test("who joins but never syncs is removed after the rebalance time-out", async () => {
    const harness = await Harness.stable();
    const leader = harness.join({ memberId: "m1" });
    await harness.join({ memberId: "m2" });
    await leader;
    await harness.sync("m1", { m1: "all" });
    for (let passedMs = 0; passedMs < REBALANCE_MS; passedMs += 5000) {
      harness.heartbeat("m1");
      harness.heartbeat("m2");
      harness.clock.advance(5000);
    }
    expect(harness.group.members.map(({ id }) => id)).toEqual(["m1"]);
  });

  test("the last member's end leaves an empty group in a new generation, without timers", async () => {
    const harness = new Harness();
    await harness.join();
    await harness.sync("m1");
    harness.clock.advance(SESSION_MS);
    expect([harness.group.state, harness.group.generation]).toEqual(["Empty", 2]);
    expect(harness.clock.timers).toBe(0);
  });
});

describe("syncing, leaving and committing", () => {
  test("a follower's sync waits for the leader's, and breaks off when a rebalance comes between", async () => {
    const harness = new Harness();
    await harness.join();
    const second = harness.join();
    await harness.join({ memberId: "m1" });
    await second;
    const waiting = harness.sync("m2");
    const third = harness.join();
    expect(await waiting).toMatchObject({ errorCode: 27 });
    await Promise.all([harness.join({ memberId: "m1" }), harness.join({ memberId: "m2" }), third]);
    expect(harness.group.generation).toBe(3);
  });

  test.each([
    { name: "an older generation", memberId: "m1", generation: 1, errorCode: 22 },
    { name: "an unknown member", memberId: "x", generation: 2, errorCode: 25 },
    { name: "a member of this generation", memberId: "m1", generation: 2, errorCode: 0 },
  ])("$name gets $errorCode for a heartbeat, a sync and a commit", async (one) => {
    const harness = await Harness.stable();
    const speaker = harness.speaker(one.memberId, one.generation);
    expect(harness.group.heartbeat(speaker)).toBe(one.errorCode);
    expect(await harness.group.sync(speaker, new Map())).toMatchObject({
      errorCode: one.errorCode,
    });
    expect(harness.group.commitRefusal(speaker)).toBe(one.errorCode);
  });

  test("leaving starts a rebalance at once; leaving twice is an error", async () => {
    const harness = await Harness.stable();
    expect(harness.group.leave("m2", null)).toBe(0);
    expect(harness.group.leave("m2", null)).toBe(25);
    expect(harness.heartbeat("m1")).toBe(27);
  });

  test("commits are taken while members join, not between join and sync", async () => {
    const harness = await Harness.stable();
    const late = harness.join();
    expect(harness.group.commitRefusal(harness.speaker("m1"))).toBe(0);
    const joins = [harness.join({ memberId: "m1" }), harness.join({ memberId: "m2" }), late];
    await Promise.all(joins);
    expect(harness.group.commitRefusal(harness.speaker("m1"))).toBe(27);
  });

  test("without a member id only an empty group takes commits", async () => {
    const anonymous = { memberId: "", instanceId: null, generation: -1 };
    const harness = await Harness.stable();
    expect(harness.group.commitRefusal(anonymous)).toBe(25);
    harness.group.leave("m1", null);
    harness.group.leave("m2", null);
    expect(harness.group.commitRefusal(anonymous)).toBe(0);
  });
});

describe("a static member", () => {
  test("comes back under a new id with its assignment and without a rebalance; the old id is fenced", async () => {
    const harness = new Harness();
    await harness.join({ instanceId: "i" });
    await harness.sync("m1", { m1: "all" });
    const back = await harness.join({ instanceId: "i" });
    expect(back).toMatchObject({ errorCode: 0, memberId: "m2", leaderId: "m1", generation: 1 });
    expect(String((await harness.sync("m2")).assignment)).toBe("all");
    const old = { memberId: "m1", instanceId: "i", generation: 1 };
    expect(harness.group.heartbeat(old)).toBe(82);
    expect(harness.group.state).toBe("Stable");
  });
});
