import { textArgument } from "./arguments.ts";
import type { Collection } from "./collection.ts";
import type { Cursors } from "./cursors.ts";
import { toCommandError, type CommandError } from "./errors.ts";
import type { FailPoints } from "./fail-points.ts";
import { namespaceOf, openCollection, type Store } from "./store.ts";
import type { Document } from "./values.ts";

/** What a command works on. */
export type CommandContext = {
  readonly store: Store;
  readonly cursors: Cursors;
  readonly failPoints: FailPoints;
  readonly connectionId: number;
  readonly connectionCount: () => number;
  readonly nowMs: () => number;
};

/**
 * Answers one command, or throws a CommandError. Synchronous, so each command is atomic: nothing else
 * runs between its reads and its writes.
 */
export type Command = (command: Document, context: CommandContext) => Document;

/** Database and collection a command names under its own name. */
export function target(
  command: Document,
  name: string,
): { database: string; collection: string; namespace: string } {
  const database = textArgument(command, "$db");
  const collection = textArgument(command, name);
  return { database, collection, namespace: namespaceOf(database, collection) };
}

/** The collection a command writes to, made when it does not exist. */
export function targetCollection(
  command: Document,
  name: string,
  { store }: CommandContext,
): Collection {
  const { database, collection } = target(command, name);
  return openCollection(store, database, collection);
}

/** Runs the statements of a write; ordered ones stop at the first error. Returns the reply's errors. */
export function runStatements(
  command: Document,
  statements: readonly Document[],
  run: (statement: Document, index: number) => void,
): Document {
  const writeErrors: Document[] = [];
  for (const [index, statement] of statements.entries()) {
    try {
      run(statement, index);
    } catch (error) {
      writeErrors.push({ index, ...errorFields(toCommandError(error)) });
      if (command["ordered"] !== false) break;
    }
  }
  return writeErrors.length === 0 ? {} : { writeErrors };
}

/** Reply to a command that failed as a whole. */
export function errorReply(error: unknown): Document {
  const failure = toCommandError(error);
  return { ok: 0, ...errorFields(failure), codeName: failure.codeName };
}

function errorFields({ code, message, details }: CommandError): Document {
  return { code, errmsg: message, ...details };
}
