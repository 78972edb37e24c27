import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";

export type TestNames = {
  readonly EVENTS_TOPIC: string;
  readonly RESULTS_TOPIC: string;
  readonly DEAD_LETTER_TOPIC: string;
  readonly LATE_TOPIC: string;
  readonly AUDIT_TOPIC: string;
  readonly PROCESSOR_GROUP: string;
  readonly SINK_GROUP: string;
  readonly MONGODB_DATABASE: string;
};

/** Creates topics of names that nobody else uses, on whatever servers `env` names. */
export async function createTestTopics(env: NodeJS.ProcessEnv): Promise<TestNames> {
  const run = randomUUID().slice(0, 8);
  const names: TestNames = {
    EVENTS_TOPIC: `events-${run}`,
    RESULTS_TOPIC: `results-${run}`,
    DEAD_LETTER_TOPIC: `events-${run}.dlq`,
    LATE_TOPIC: `events-${run}.late`,
    AUDIT_TOPIC: `events-${run}.audit`,
    PROCESSOR_GROUP: `processor-${run}`,
    SINK_GROUP: `sink-${run}`,
    MONGODB_DATABASE: `test_${run}`,
  };
  await promisify(execFile)(process.execPath, ["scripts/topics.ts", "create"], {
    env: { ...env, ...names },
  });
  return names;
}
