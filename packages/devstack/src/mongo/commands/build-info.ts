import type { Command } from "../command.ts";
import { maxDocumentBytes } from "../collection.ts";

/** The version whose behaviour is followed. */
export const serverVersion = "7.0.0";

/** `buildInfo`. */
export const buildInfo: Command = () => ({
  version: serverVersion,
  gitVersion: "adstream devstack",
  versionArray: [7, 0, 0, 0],
  modules: [],
  bits: 64,
  maxBsonObjectSize: maxDocumentBytes,
  ok: 1,
});
