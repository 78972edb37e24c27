import type { Document } from "./values.ts";

const codeNames: Readonly<Record<number, string>> = {
  2: "BadValue",
  8: "UnknownError",
  9: "FailedToParse",
  14: "TypeMismatch",
  20: "IllegalOperation",
  22: "InvalidBSON",
  26: "NamespaceNotFound",
  27: "IndexNotFound",
  28: "PathNotViable",
  40: "ConflictingUpdateOperators",
  43: "CursorNotFound",
  48: "NamespaceExists",
  53: "InvalidIdField",
  56: "EmptyFieldName",
  59: "CommandNotFound",
  66: "ImmutableField",
  67: "CannotCreateIndex",
  72: "InvalidOptions",
  73: "InvalidNamespace",
  85: "IndexOptionsConflict",
  86: "IndexKeySpecsConflict",
  91: "ShutdownInProgress",
  238: "NotImplemented",
  10334: "BSONObjectTooLarge",
  11000: "DuplicateKey",
};

/** A failed command or write, with MongoDB's own code; `details` are the extra fields of its reply. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: number;
  readonly codeName: string;
  readonly details: Document;

  constructor(code: number, message: string, details: Document = {}) {
    super(message);
    this.code = code;
    this.codeName = codeNames[code] ?? `Location${code}`;
    this.details = details;
  }
}

/** Whatever was thrown as a command error; an unforeseen one becomes code 8 and keeps its cause. */
export function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const failure = new CommandError(8, error instanceof Error ? error.message : String(error));
  failure.cause = error;
  return failure;
}
