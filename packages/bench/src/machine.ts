import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** Where and from what a figure comes. */
export type Origin = {
  readonly date: string;
  readonly command: string;
  /** With "+changes" where the checkout is not what was committed. */
  readonly commit: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly kernel: string;
    readonly node: string;
    /** Of the minute before. Above 1 the figures are those of a busy machine. */
    readonly load: number;
  };
};

export function origin(args: readonly string[]): Origin {
  return {
    date: new Date().toISOString(),
    command: ["pnpm bench", ...args].join(" "),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      node: process.version,
      load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    },
  };
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git("status", "--porcelain", "--", "packages/*/src", "patches");
    return git("rev-parse", "HEAD") + (changed === "" ? "" : "+changes");
  } catch {
    return "unknown";
  }
}
