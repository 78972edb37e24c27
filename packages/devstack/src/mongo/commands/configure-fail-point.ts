import type { Command } from "../command.ts";
import { CommandError } from "../errors.ts";
import { parseFailPoint } from "../fail-points.ts";

/** `configureFailPoint`: MongoDB's own test command, for `failCommand` only. */
export const configureFailPoint: Command = (command, { failPoints }) => {
  if (command["configureFailPoint"] !== "failCommand") {
    throw new CommandError(2, "the only fail point is 'failCommand'");
  }
  failPoints.active = parseFailPoint(command);
  return { ok: 1 };
};
