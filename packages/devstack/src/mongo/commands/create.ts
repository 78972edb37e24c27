import { flagArgument } from "../arguments.ts";
import { target, targetCollection, type Command } from "../command.ts";
import { CommandError } from "../errors.ts";

/** `create`: an empty, ordinary collection. */
export const create: Command = (command, context) => {
  const { namespace } = target(command, "create");
  const special = ["timeseries", "viewOn", "validator"].find((option) =>
    Object.hasOwn(command, option),
  );
  if (special !== undefined || flagArgument(command, "capped")) {
    throw new CommandError(238, `collections with '${special ?? "capped"}' are not supported`);
  }
  if (context.store.collections.has(namespace)) {
    throw new CommandError(48, `Collection ${namespace} already exists.`);
  }
  targetCollection(command, "create", context);
  return { ok: 1 };
};
