import { ConfigError } from "@adstream/service/config-error";
import { readCommandLine } from "../command-line.ts";

export const usage = `usage: pnpm checkpoints list|show|verify [flags]
  list      what CHECKPOINT_URL holds: per task, newest first
  show      one checkpoint: header, state, decisions; the newest readable one unless --seq says which
  verify    reads every object, restores every checkpoint; one line per finding, exit code 1 if there is one

  --job <group/job>    only this job, like adstream-processor/ad-stats
  --partition <number> only this partition; show needs it where there are several
  --seq <number>       only this object
  --json               for programs
  --help               this text

Nothing is written. Checkpoints are restored under the settings they were made with.
`;

export type CheckpointsOptions = {
  readonly command: (typeof commands)[number];
  readonly job: string | undefined;
  readonly partition: number | undefined;
  readonly seq: number | undefined;
  readonly json: boolean;
};

const commands = ["list", "show", "verify"] as const;
const flags = {
  job: { type: "string" },
  partition: { type: "string" },
  seq: { type: "string" },
  json: { type: "boolean" },
} as const;

/** @throws {ConfigError} with every mistake */
export function checkpointsOptions(argv: readonly string[]): CheckpointsOptions | "help" {
  const line = readCommandLine(argv, { commands, flags });
  if (line === "help") return line;
  const { command, words } = line;
  const problems = [
    ...line.commandProblems,
    ...words.map((word) => `${word}: there is no such argument`),
    ...line.flagProblems,
  ];
  const job = line.text("job");
  if (job !== undefined && !/^[^/]+\/[^/]+$/.test(job)) {
    problems.push(`--job ${job}: a job is group/job, like adstream-processor/ad-stats`);
  }
  const partition = numberOf("--partition", line.text("partition"), problems);
  const seq = numberOf("--seq", line.text("seq"), problems);
  if (command === undefined || problems.length > 0) throw new ConfigError(problems);
  return { command, job, partition, seq, json: line.given("json") };
}

function numberOf(flag: string, text: string | undefined, problems: string[]): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,12}$/.test(text)) problems.push(`${flag} ${text}: must be a whole number`);
  return Number(text);
}
