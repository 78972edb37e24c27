import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes the directory and keeps other processes out of it until disposed. A lock whose process is gone
 * is taken over.
 *
 * @throws Error ELOCKED when a living process has it
 */
export function lockDirectory(directory: string): Disposable {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "lock");
  if (!tryLock(file)) {
    const owner = Number(readFileSync(file, "utf8"));
    if (alive(owner)) {
      const message = `${directory} is in use by process ${owner}; if that is no devstack, delete ${file}`;
      throw Object.assign(new Error(message), { code: "ELOCKED" });
    }
    rmSync(file, { force: true });
    if (!tryLock(file))
      throw Object.assign(new Error(`${directory} was just taken`), { code: "ELOCKED" });
  }
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
}

function tryLock(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function alive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
