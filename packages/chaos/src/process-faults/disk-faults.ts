import assert from "node:assert/strict";
import { promises, readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/**
 * Loaded into a service by `node --import`: the disk fails as the file `DISK_FAULT_FILE` says, as long as it exists.
 * "ENOSPC": files take half of what is written; "EIO": nothing can be synced; "EROFS": nothing can be created.
 */
const faultFile = process.env["DISK_FAULT_FILE"] ?? "";

function failIf(code: "ENOSPC" | "EIO" | "EROFS", doing: string): void {
  if (present() !== code) return;
  throw Object.assign(new Error(`${code}: injected, ${doing}`), { code, syscall: doing });
}

function present(): string {
  try {
    return readFileSync(faultFile, "utf8").trim();
  } catch {
    return "";
  }
}

type Method = (this: unknown, ...args: unknown[]) => Promise<unknown>;

function replace(target: object, name: string, by: (original: Method) => Method): void {
  const original: unknown = Reflect.get(target, name);
  assert(typeof original === "function");
  const call: Method = async function (...args) {
    return Reflect.apply(original, this, args);
  };
  Object.defineProperty(target, name, { value: by(call), writable: true, configurable: true });
}

const handle = await promises.open(import.meta.filename);
const handles: object = Object.getPrototypeOf(handle);
await handle.close();

replace(
  handles,
  "writeFile",
  (original) =>
    async function (bytes) {
      if (present() === "ENOSPC" && bytes instanceof Uint8Array) {
        await original.call(this, bytes.subarray(0, bytes.length >> 1));
      }
      failIf("ENOSPC", "write");
      return original.call(this, bytes);
    },
);
replace(
  handles,
  "sync",
  (original) =>
    async function () {
      failIf("EIO", "fsync");
      return original.call(this);
    },
);
for (const name of ["mkdir", "link", "rename"]) {
  replace(
    promises,
    name,
    (original) =>
      async function (...args) {
        failIf("EROFS", name);
        return original.apply(this, args);
      },
  );
}
replace(
  promises,
  "open",
  (original) =>
    async function (...args) {
      if (args[1] === "wx") failIf("EROFS", "open");
      return original.apply(this, args);
    },
);
syncBuiltinESMExports();
