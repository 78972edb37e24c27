/** Configuration mistakes, all of them; a process that meets one ends with exit code 64. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "CONFIG";
  readonly disposition = "stop";
  readonly exitCode = 64;
  /** One line per mistake: the setting, what it holds unless that is secret, what is allowed. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}
