import { readFileSync, writeSync } from "node:fs";

/**
 * Preloaded into measured processes (`node --import`): what they used from exec to exit, written to the pipe that the
 * benchmark gave them. Linux hands the parent's peak down through exec, so VmHWM is read where there is one.
 */
const usagePipe = 4;

process.once("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpuMs = (userCPUTime + systemCPUTime) / 1_000;
  try {
    writeSync(usagePipe, JSON.stringify({ cpuMs, peakRssKiB: peakRssKiB() ?? maxRSS }));
  } catch {
    // The benchmark is gone. An error here would call off the exit where somebody listens for uncaught ones.
  }
});

function peakRssKiB(): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}
