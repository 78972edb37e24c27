import { setTimeout as sleep } from "node:timers/promises";

export type ReachOptions<Server> = {
  /** What people call it: Kafka, the schema registry, MongoDB. */
  readonly server: string;
  /** The variable that names it. */
  readonly variable: string;
  /** Its address, without credentials. */
  readonly address: string;
  /** Rejects with a `disposition` of "retry" where trying again may help. */
  readonly connect: (signal: AbortSignal) => Promise<Server>;
  readonly log: { warn(fields: object, message: string): void };
  readonly signal: AbortSignal;
  /** Resolves after `delayMs`, rejects when the signal is aborted. */
  readonly wait?: (delayMs: number, signal: AbortSignal) => Promise<void>;
  readonly random?: () => number;
};

const firstDelayMs = 1_000;
const maxDelayMs = 30_000;

/**
 * Connects, however long it takes: while the server does not answer there is one warning per attempt with the variable
 * and the address, and 1 to 30 s between attempts.
 *
 * @throws what `connect` threw, unless its disposition is "retry"; the signal's reason once it is aborted
 */
export async function reachServer<Server>(options: ReachOptions<Server>): Promise<Server> {
  const { server, variable, address, connect, log, signal } = options;
  const { wait = waitFor, random = Math.random } = options;
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await connect(signal);
    } catch (error) {
      // What a connection given up on says is of no interest any more.
      signal.throwIfAborted();
      if (!retriable(error)) throw error;
      const stepMs = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt, 10));
      // Half to whole of the step, so that services started together do not come back together.
      const retryInMs = Math.round(Math.max(firstDelayMs, stepMs * (0.5 + random() / 2)));
      log.warn(
        { server, variable, address, retryInMs, err: error },
        `server of ${variable} does not answer`,
      );
      await wait(retryInMs, signal);
    }
  }
}

async function waitFor(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal });
}

function retriable(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, "disposition") === "retry";
}
