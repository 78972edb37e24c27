import type { Command } from "../command.ts";
import { serverVersion } from "./build-info.ts";

/** `serverStatus`, the part monitoring asks for first. */
export const serverStatus: Command = (_command, { connectionCount, nowMs }) => ({
  host: "devstack",
  version: serverVersion,
  process: "mongod",
  pid: process.pid,
  uptime: Math.floor(process.uptime()),
  localTime: new Date(nowMs()),
  connections: { current: connectionCount(), available: 1_000 },
  ok: 1,
});
