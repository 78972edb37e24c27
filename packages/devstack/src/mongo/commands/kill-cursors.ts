import { Long } from "bson";
import { arrayArgument } from "../arguments.ts";
import type { Command } from "../command.ts";

/** `killCursors`: closes cursors and says which were open. */
export const killCursors: Command = (command, { cursors }) => {
  const cursorsKilled: unknown[] = [];
  const cursorsNotFound: unknown[] = [];
  for (const id of arrayArgument(command, "cursors")) {
    const killed = id instanceof Long && cursors.open.delete(id.toBigInt());
    (killed ? cursorsKilled : cursorsNotFound).push(id);
  }
  return { cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [], ok: 1 };
};
