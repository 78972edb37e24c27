import { errorReply, type Command, type CommandContext } from "./command.ts";
import { aggregate } from "./commands/aggregate.ts";
import { buildInfo } from "./commands/build-info.ts";
import { collStats } from "./commands/coll-stats.ts";
import { configureFailPoint } from "./commands/configure-fail-point.ts";
import { connectionStatus } from "./commands/connection-status.ts";
import { count } from "./commands/count.ts";
import { createIndexes } from "./commands/create-indexes.ts";
import { create } from "./commands/create.ts";
import { remove } from "./commands/delete.ts";
import { distinct } from "./commands/distinct.ts";
import { dropDatabase } from "./commands/drop-database.ts";
import { dropIndexes } from "./commands/drop-indexes.ts";
import { drop } from "./commands/drop.ts";
import { findAndModify } from "./commands/find-and-modify.ts";
import { find } from "./commands/find.ts";
import { getMore } from "./commands/get-more.ts";
import { hello } from "./commands/hello.ts";
import { insert } from "./commands/insert.ts";
import { killCursors } from "./commands/kill-cursors.ts";
import { listCollections } from "./commands/list-collections.ts";
import { listDatabases } from "./commands/list-databases.ts";
import { listIndexes } from "./commands/list-indexes.ts";
import { ping } from "./commands/ping.ts";
import { serverStatus } from "./commands/server-status.ts";
import { update } from "./commands/update.ts";
import { CommandError } from "./errors.ts";
import type { Document } from "./values.ts";

const commands: ReadonlyMap<string, Command> = new Map([
  ["aggregate", aggregate],
  ["buildInfo", buildInfo],
  ["buildinfo", buildInfo],
  ["collStats", collStats],
  ["configureFailPoint", configureFailPoint],
  ["connectionStatus", connectionStatus],
  ["count", count],
  ["create", create],
  ["createIndexes", createIndexes],
  ["delete", remove],
  ["distinct", distinct],
  ["drop", drop],
  ["dropDatabase", dropDatabase],
  ["dropIndexes", dropIndexes],
  ["endSessions", ping],
  ["find", find],
  ["findAndModify", findAndModify],
  ["findandmodify", findAndModify],
  ["getMore", getMore],
  ["hello", hello],
  ["insert", insert],
  ["isMaster", hello],
  ["ismaster", hello],
  ["killCursors", killCursors],
  ["listCollections", listCollections],
  ["listDatabases", listDatabases],
  ["listIndexes", listIndexes],
  ["ping", ping],
  ["serverStatus", serverStatus],
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
