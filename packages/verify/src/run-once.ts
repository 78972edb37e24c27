import { ConfigError } from "@adstream/service/config-error";
import { readEnvironment } from "@adstream/service/environment";
import { flagHelp, readFlags } from "@adstream/service/flags";
import { openLog } from "@adstream/service/log";
import { scrubber, Secret } from "@adstream/service/secret";
import { defaults, environment, flags, type VerifyConfig } from "./config.ts";
import { openTarget } from "./open-target.ts";
import { problemsOf, reportLines } from "./report.ts";
import { type Verification, verify } from "./verify.ts";

/** The process, as far as the command touches it. */
export type VerifyProcess = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly envFile: string | null;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
};

/** Exit codes of `pnpm verify`. */
export const exitCodes = { equal: 0, different: 1, config: 64, failed: 70 } as const;

/** @returns the configuration; an exit code where there is nothing more to do, said already */
export function readVerifyConfig(host: VerifyProcess): VerifyConfig | number {
  const { overrides, problems, help } = readFlags(host.argv, flags);
  if (help) {
    host.stdout(flagHelp("pnpm verify", flags));
    return exitCodes.equal;
  }
  try {
    const { env, envFile: file } = host;
    return readEnvironment(environment, { env, file, overrides, problems, defaults });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr(`adstream verify: ${error.problems.join("\n  ")}\n`);
    return exitCodes.config;
  }
}

/** Compares once and prints the table. @returns the exit code */
export async function runOnce(config: VerifyConfig, host: VerifyProcess): Promise<number> {
  try {
    const verification = await verifyOnce(config);
    host.stdout(`${reportLines(verification).join("\n")}\n`);
    return problemsOf(verification).length === 0 ? exitCodes.equal : exitCodes.different;
  } catch (error) {
    const secrets = Object.values(config).filter((value) => value instanceof Secret);
    const text = error instanceof Error ? error.message : String(error);
    host.stderr(`adstream verify: ${scrubber(secrets)(text).replaceAll(/\s*\n\s*/g, " ")}\n`);
    return exitCodes.failed;
  }
}

/** Everything, or the range that the configuration names. @throws when a server does not answer */
export async function verifyOnce(config: VerifyConfig): Promise<Verification> {
  const log = openLog({ name: "verify", level: "silent" });
  await using target = await openTarget(config, log);
  const { VERIFY_FROM: from, VERIFY_TO: to } = config;
  return await verify(
    target,
    from === undefined || to === undefined ? {} : { range: { from, to } },
  );
}
