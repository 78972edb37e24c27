import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** A broker that is ours to kill. */
export type Broker = {
  /** SIGKILL, and the command that starts it again. @returns how long it was away, ms */
  killAndStart(): Promise<number>;
};

export type BrokerOptions = {
  /** Holds the process id whenever the broker runs. */
  readonly pidFile: string;
  /** For the shell; ends with 0 when the broker answers again. */
  readonly startCommand: string;
};

const goneWithinMs = 10_000;

export function openBroker({ pidFile, startCommand }: BrokerOptions): Broker {
  return {
    async killAndStart() {
      const startedAt = performance.now();
      const pid = Number(readFileSync(pidFile, "utf8"));
      if (!Number.isInteger(pid) || pid <= 1) throw new Error(`${pidFile} holds no process id`);
      process.kill(pid, "SIGKILL");
      await untilGone(pid);
      const child = spawn("/bin/sh", ["-c", startCommand], { stdio: "ignore" });
      const [code] = await once(child, "exit");
      if (code !== 0) throw new Error(`"${startCommand}" ended with ${code}`);
      return performance.now() - startedAt;
    },
  };
}

async function untilGone(pid: number): Promise<void> {
  const end = performance.now() + goneWithinMs;
  while (performance.now() < end) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the broker, process ${pid}, is still there ${goneWithinMs} ms after SIGKILL`);
}
