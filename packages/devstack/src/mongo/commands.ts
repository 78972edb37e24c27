import { errorReply, type Command, type CommandContext } from "./command.ts";
import { createIndexes } from "./commands/create-indexes.ts";
import { remove } from "./commands/delete.ts";
import { find } from "./commands/find.ts";
import { getMore } from "./commands/get-more.ts";
import { hello } from "./commands/hello.ts";
import { insert } from "./commands/insert.ts";
import { killCursors } from "./commands/kill-cursors.ts";
import { ping } from "./commands/ping.ts";
import { update } from "./commands/update.ts";
import { CommandError } from "./errors.ts";
import type { Document } from "./values.ts";

const commands: ReadonlyMap<string, Command> = new Map([
  ["createIndexes", createIndexes],
  ["delete", remove],
  ["endSessions", ping],
  ["find", find],
  ["getMore", getMore],
  ["hello", hello],
  ["insert", insert],
  ["isMaster", hello],
  ["ismaster", hello],
  ["killCursors", killCursors],
  ["ping", ping],
  ["update", update],
]);

/** Answers a command, with an error reply where it fails; never throws. */
export function runCommand(command: Document, context: CommandContext): Document {
  const [name = ""] = Object.keys(command);
  try {
    const run = commands.get(name);
    if (run === undefined) throw new CommandError(59, `no such command: '${name}'`);
    if (command["startTransaction"] === true) {
      throw new CommandError(
        20,
        "Transaction numbers are only allowed on a replica set member or mongos",
      );
    }
    return run(command, context);
  } catch (error) {
    return errorReply(error);
  }
}
