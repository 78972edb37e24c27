import { inspect } from "node:util";

const redacted = "[redacted]";

/** A value that prints as `[redacted]` everywhere; only `reveal()` gives it, at the call that needs it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}

/** Where credentials sit in a URL of any scheme: between `//` and the last `@` before the path. */
const urlCredentials = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s"'/?#]*@/gi;
/** MongoDB passwords with unescaped slashes still reach the driver, and its messages. */
const mongoCredentials = /(\bmongodb(?:\+srv)?:\/\/)[^\s"']*@/gi;
/** Shorter ones would turn half of every line into `[redacted]`; nobody has such a password. */
const minSecretLength = 4;

/** Returns a function that takes credentials in URLs and the given secrets out of a text, JSON-escaped forms included. */
export function scrubber(secrets: Iterable<Secret>): (text: string) => string {
  const words = new Set<string>();
  for (const secret of secrets) {
    const value = secret.reveal();
    if (value.length < minSecretLength) continue;
    for (const form of [value, encodeURIComponent(value)]) {
      words.add(form);
      words.add(JSON.stringify(form).slice(1, -1));
    }
  }
  // Longest first: a secret that holds another one must not leave its rest behind.
  const ordered = [...words].toSorted((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const word of ordered) clean = clean.replaceAll(word, redacted);
    return clean
      .replace(mongoCredentials, `$1${redacted}@`)
      .replace(urlCredentials, `$1${redacted}@`);
  };
}
