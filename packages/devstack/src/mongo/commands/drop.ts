import { target, type Command } from "../command.ts";
import { dropCollection } from "../store.ts";

/** `drop`: a collection; one that does not exist is no error, as in MongoDB 7. */
export const drop: Command = (command, { store }) => {
  const { namespace } = target(command, "drop");
  return dropCollection(store, namespace) ? { ns: namespace, ok: 1 } : { ok: 1 };
};
