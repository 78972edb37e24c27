import type { Clock } from "../../src/ports.ts";
import { epochMs, type World } from "./world.ts";

/** How long a request and its answer travel. */
export type Latency = { readonly slow: number };

const prompt: Latency = { slow: 0 };

/**
 * A process of the pipeline. Killed, it never runs again and what it sent may still arrive. Frozen, it keeps its memory and
 * all that reaches it, and goes on where it was when it wakes, unaware of the time.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly world: World;
  alive = true;
  frozen = false;
  readonly #held: (() => void)[] = [];
  readonly #onKill: () => void;

  constructor(world: World, name: string, onKill: () => void) {
    this.world = world;
    this.name = name;
    this.#onKill = onKill;
  }

  /** Runs `action` in this process once the time has come and it is awake. */
  after(delayMs: number, action: () => void): void {
    this.world.after(delayMs, () => {
      this.#deliver(action);
    });
  }

  #deliver(action: () => void): void {
    if (!this.alive) return;
    if (this.frozen) this.#held.push(action);
    else action();
  }

  kill(why: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.world.unclean = true;
    this.world.note(`${this.name} killed: ${why}`);
    this.world.saw("kill");
    this.#onKill();
  }

  freeze(): void {
    this.frozen = true;
    this.world.unclean = true;
    this.world.note(`${this.name} frozen`);
    this.world.saw("freeze");
  }

  wake(): void {
    if (!this.frozen) return;
    this.frozen = false;
    if (this.alive) this.world.note(`${this.name} wakes`);
    // Everything that came meanwhile is due at once, in any order.
    for (const action of this.#held.splice(0)) this.after(this.world.random.next() * 20, action);
  }

  readonly clock: Clock = {
    nowMs: () => this.world.nowMs,
    wallMs: () => epochMs + this.world.nowMs,
    sleep: async (ms, signal) => {
      if (signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const done = (): void => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done);
      this.after(ms, done);
      await promise;
    },
  };

  /**
   * A request to a server: `effect` happens there when it arrives, and its outcome comes back some time later. A killed
   * process may have sent it before it died.
   */
  async request<T>(what: string, effect: () => T, latency = prompt): Promise<T> {
    const { world } = this;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const { killAtCall } = world.plan;
    const thereMs = delayOf(world, latency);
    const backMs = delayOf(world, latency);
    if (thereMs + backMs >= slowestPromptMs) world.slow(thereMs + backMs);
    world.after(thereMs, () => {
      if (!this.alive && world.random.chance(0.5)) return;
      if (world.strikes(killAtCall)) this.kill(`before ${what} arrived`);
      if (!this.alive && world.random.chance(0.5)) return;
      let answer: () => void;
      try {
        const value = effect();
        answer = () => {
          resolve(value);
        };
      } catch (error) {
        answer = () => {
          reject(error);
        };
      }
      if (world.strikes(killAtCall)) this.kill(`after ${what} was done`);
      this.after(backMs, answer);
    });
    return promise;
  }
}

const slowestPromptMs = 100;

function delayOf(world: World, { slow }: Latency): number {
  const { random } = world;
  if (world.strikes(slow)) return random.between(500, 15_000);
  return 1 + random.next() * 15;
}
