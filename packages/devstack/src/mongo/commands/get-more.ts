import { Long } from "bson";
import { countArgument } from "../arguments.ts";
import type { Command } from "../command.ts";
import { nextBatch } from "../cursors.ts";
import { CommandError } from "../errors.ts";

/** `getMore`: the next batch of an open cursor. */
export const getMore: Command = (command, { cursors }) => {
  const id = command["getMore"];
  if (!(id instanceof Long)) throw new CommandError(14, "BSON field 'getMore' is not a long");
  return nextBatch(cursors, id.toBigInt(), countArgument(command, "batchSize"));
};
