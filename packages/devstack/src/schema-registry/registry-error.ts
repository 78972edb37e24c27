/** An answer other than 200, with Confluent's code: the HTTP status is its first three digits. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly errorCode: number;

  constructor(errorCode: number, message: string) {
    super(message);
    this.errorCode = errorCode;
  }

  get status(): number {
    return this.errorCode >= 10_000 ? Math.trunc(this.errorCode / 100) : this.errorCode;
  }
}

export function subjectNotFound(subject: string): RegistryError {
  return new RegistryError(40401, `Subject '${subject}' not found.`);
}

export function versionNotFound(version: number | string): RegistryError {
  return new RegistryError(40402, `Version ${version} not found.`);
}

export function schemaNotFound(id?: number): RegistryError {
  return new RegistryError(40403, id === undefined ? "Schema not found" : `Schema ${id} not found`);
}
