import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { Socket } from "node:net";
import { type CrashPoint, crashPoint } from "./crash-points.ts";
import { producesRecords, updatesDocuments } from "./requests.ts";

/**
 * Loaded into a service by `node --import`: kills its process when it reaches `CRASH_AT` ("service/point") for the
 * `CRASH_HITS`th time. SIGKILL, so that nothing of the process gets a chance to tidy up.
 */
const [service = "", name = ""] = (process.env["CRASH_AT"] ?? "").split("/");
let hitsLeft = Number(process.env["CRASH_HITS"] ?? "1");
crashAt(crashPoint(service, name).at);

function crashAt(at: CrashPoint["at"]): void {
  if ("channel" in at) {
    subscribe(at.channel, () => {
      if (due()) die();
    });
    return;
  }
  const wanted = at.request === "produce" ? producesRecords : updatesDocuments;
  const write: unknown = Reflect.get(Socket.prototype, "write");
  assert(typeof write === "function");
  // Both clients hand a whole request to the socket, and a socket with nothing queued passes it to the kernel at once.
  Object.defineProperty(Socket.prototype, "write", {
    writable: true,
    value(this: Socket, ...args: unknown[]): unknown {
      const [bytes] = args;
      if (!(bytes instanceof Uint8Array) || !wanted(bytes) || !due()) {
        return Reflect.apply(write, this, args);
      }
      const sent = at.sent === "whole" ? bytes : bytes.subarray(0, bytes.length >> 1);
      Reflect.apply(write, this, [sent]);
      return die();
    },
  });
}

function due(): boolean {
  hitsLeft--;
  return hitsLeft === 0;
}

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("the process outlived SIGKILL");
}
