import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** What /proc says of processes; tests pass one of their own. */
export type ProcessTable = {
  /** The same for all processes that see each other under the same numbers, and for no others; undefined without /proc. */
  readonly machine: string | undefined;
  /** When a process began, in ticks since the machine did; null when there is none, undefined when nobody can say. */
  startOf(pid: number): string | null | undefined;
};

/**
 * The name under which this process joins groups: `<name>@<machine>.<pid>.<start>`, so that its successor can tell
 * whether it is still there. Only `name` where there is no /proc.
 */
export function memberClientId(
  name: string,
  pid: number = process.pid,
  table: ProcessTable = procTable(),
): string {
  const start = table.startOf(pid);
  if (table.machine === undefined || start === undefined || start === null) return name;
  return `${name}@${table.machine}.${pid}.${start}`;
}

const memberName = /@([0-9a-f]{12})\.(\d{1,10})\.(\d{1,20})$/;

/**
 * Whether a member of that name is known to be dead. False for members of other machines, of other containers, and of
 * anybody who cannot be judged from here.
 */
export function knownDead(clientId: string, table: ProcessTable): boolean {
  const [, machine, pid, start] = memberName.exec(clientId) ?? [];
  if (machine === undefined || machine !== table.machine) return false;
  const now = table.startOf(Number(pid));
  return now !== undefined && now !== start;
}

/** The processes of this machine, or container. */
export function procTable(): ProcessTable {
  return { machine: machineId(), startOf };
}

/**
 * Process numbers mean the same within one boot and one namespace of them. A namespace's number may be used again when
 * it is gone, and with it everybody in it: then pid and start do not fit either, which is right.
 */
function machineId(): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
    const namespace = readlinkSync("/proc/self/ns/pid");
    const hash = createHash("sha256").update(`${hostname()}\n${boot}\n${namespace}`);
    return hash.digest("hex").slice(0, 12);
  } catch {
    return undefined;
  }
}

/** Fields behind the name, which may hold anything: the state is the 3rd of the line, the start the 22nd. */
function startOf(pid: number): string | null | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there, and somebody else's.
    if (Reflect.get(Object(error), "code") === "ESRCH") return null;
  }
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    // A zombie waits for its parent and runs no more.
    return fields[0] === "Z" || fields[0] === "X" ? null : fields[19];
  } catch {
    return undefined; // Hidden from us, or gone this moment.
  }
}
