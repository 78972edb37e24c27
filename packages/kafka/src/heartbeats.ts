/** Work between two heartbeats; kafkajs sends one only when its own interval has passed. */
const beatEveryMs = 50;

const undone = Symbol("undone");
const notDone = Promise.resolve<typeof undone>(undone);

/** Heartbeats of one handler call. The first failure is kept for kafkajs, which rejoins on it. */
export type Heartbeats = {
  readonly failure: Error | undefined;
  /** Beats when it is time. Never rejects. */
  beat(): Promise<void>;
  /** Waits for `work` however long it takes, and beats meanwhile. */
  during<T>(work: Promise<T>): Promise<T>;
};

/**
 * @param heartbeat of kafkajs' handler payload
 * @param intervalMs between the beats of one long piece of work
 */
export function heartbeats(heartbeat: () => Promise<void>, intervalMs: number): Heartbeats {
  let failure: Error | undefined;
  let lastMs = performance.now();
  const beatNow = async (): Promise<void> => {
    if (failure !== undefined) return;
    lastMs = performance.now();
    try {
      await heartbeat();
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
  };
  return {
    get failure() {
      return failure;
    },
    async beat() {
      if (performance.now() - lastMs >= beatEveryMs) await beatNow();
    },
    async during(work) {
      // Most work is done by now, and a timer costs more than it does.
      const done = await Promise.race([work, notDone]);
      if (done !== undone) return done;
      const timer = setInterval(() => void beatNow(), intervalMs);
      try {
        return await work;
      } finally {
        clearInterval(timer);
      }
    },
  };
}

/** Errors of a heartbeat on which kafkajs always joins again. */
const rejoinErrors: ReadonlySet<unknown> = new Set([
  "REBALANCE_IN_PROGRESS",
  "ILLEGAL_GENERATION",
  "NOT_COORDINATOR_FOR_GROUP",
  "UNKNOWN_MEMBER_ID",
]);

export function rejoinFollows(failure: Error): boolean {
  return rejoinErrors.has(Reflect.get(failure, "type"));
}
