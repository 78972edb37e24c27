import { BSONRegExp } from "bson";
import { CommandError } from "./errors.ts";

/** Tests strings against a BSON regular expression; other types never match. @throws CommandError 51091 */
export function regexPredicate(expression: BSONRegExp): (value: unknown) => boolean {
  const pattern = toRegExp(expression);
  return (value) => {
    if (value instanceof BSONRegExp) {
      return value.pattern === expression.pattern && value.options === expression.options;
    }
    return typeof value === "string" && pattern.test(value);
  };
}

function toRegExp({ pattern, options }: BSONRegExp): RegExp {
  const unsupported = options.split("").find((option) => !"imsu".includes(option));
  if (unsupported !== undefined)
    throw new CommandError(51108, `unsupported regex option '${unsupported}'`);
  const flags = options.replace("u", "");
  try {
    return new RegExp(pattern, `${flags}u`);
  } catch {
    // PCRE allows escapes that only JS' older syntax knows.
    return withoutUnicode(pattern, flags);
  }
}

function withoutUnicode(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(51091, `Regular expression is invalid: ${reason}`);
  }
}
