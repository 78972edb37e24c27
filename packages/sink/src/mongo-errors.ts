import { StreamError } from "@adstream/engine/errors";
import {
  MongoBulkWriteError,
  MongoError,
  MongoInvalidArgumentError,
  MongoServerError,
  type WriteError,
} from "mongodb";

/** Unauthorized, AuthenticationFailed, AtlasError (Atlas answers 8000 to a wrong password). */
const authorizationCodes = new Set<unknown>([13, 18, 8000]);

/** BadValue, TypeMismatch, DocumentValidationFailure, BSONObjectTooLarge, and the too large of older servers. */
const refusalCodes = new Set<unknown>([2, 14, 121, 10334, 17419, 17420]);

const duplicateKey = 11000;

/** What a failed bulk says about its single writes; undefined when the bulk as a whole is in doubt. */
export function bulkWriteErrors(error: unknown): WriteError[] | undefined {
  if (!(error instanceof MongoBulkWriteError)) return undefined;
  const errors = [error.writeErrors].flat();
  const settled = errors.every(({ code }) => code === duplicateKey || refusalCodes.has(code));
  const durable = error.result.getWriteConcernError() === undefined;
  return errors.length > 0 && settled && durable ? errors : undefined;
}

export function refusesDocument(error: WriteError): boolean {
  return error.code !== duplicateKey;
}

/** What is said of a document that another unique index than that of ids refuses. */
export const otherIndex = "another document has the same key in a unique index";

/** Runs a call of the driver; what it throws is thrown as `mongoError` has it. */
export async function translated<T>(server: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw mongoError(error, server);
  }
}

/**
 * The driver's error as ours. Whatever a server or the network says is for retry, except about rights: a batch is
 * never given up for a code we did not think of.
 *
 * @param server hosts of MONGODB_URL, without credentials
 */
export function mongoError(error: unknown, server: string): Error {
  const cause = { cause: error };
  if (fromSystem(error)) {
    const text = `MongoDB at ${server} (MONGODB_URL) does not answer: ${error.syscall} ${error.code}`;
    return new StreamError("SERVER_UNAVAILABLE", "retry", text, cause);
  }
  if (!(error instanceof MongoError) || error instanceof MongoInvalidArgumentError) {
    return error instanceof Error ? error : new Error(String(error));
  }
  if (error instanceof MongoServerError && authorizationCodes.has(error.code)) {
    const text = `MongoDB at ${server} (MONGODB_URL) refuses access: ${oneLine(error.message)}`;
    return new StreamError("NOT_AUTHORIZED", "stop", text, cause);
  }
  const problem = error instanceof MongoServerError ? "cannot do it now" : "does not answer";
  const text = `MongoDB at ${server} (MONGODB_URL) ${problem}: ${oneLine(error.message)}`;
  return new StreamError("SERVER_UNAVAILABLE", "retry", text, cause);
}

/** A connection that ends while a command is written: the driver passes the socket's own error on as it is. */
function fromSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && !(error instanceof MongoError) && "syscall" in error;
}

/** Driver messages may quote the connection string, with its password. */
export function oneLine(message: string): string {
  return message
    .replaceAll(/mongodb(\+srv)?:\/\/[^@\s]*@/g, "mongodb$1://")
    .replaceAll(/\s+/g, " ");
}
