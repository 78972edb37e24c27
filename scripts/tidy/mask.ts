/** A source text with only its code, or only its comments, left; the rest is blanks, so positions stay. */
export type Masked = {
  /** Without comments, and without the contents of strings, templates and regular expressions. */
  readonly code: string;
  readonly comments: string;
};

type Kind = "code" | "comment" | "literal";

/** After these a slash begins a regular expression; after values it divides. */
const beforeRegex =
  /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|await|yield))\s*$/;

/** Splits TypeScript by one pass over its characters; enough for formatted code, no parser. */
export function mask(text: string): Masked {
  const kinds = Array.from<Kind>({ length: text.length });
  /** Depth of braces at which each open `${` of a template ends. */
  const templates: number[] = [];
  let braces = 0;
  let at = 0;
  const put = (end: number, kind: Kind): void => {
    kinds.fill(kind, at, end);
    at = end;
  };
  const putTemplate = (start: number): void => {
    const end = templateEnd(text, start);
    put(end, "literal");
    if (!text.startsWith("${", end)) return put(end + 1, "code");
    templates.push(braces++);
    put(end + 2, "code");
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at];
    if (two === "//") put(endOf(text, "\n", at), "comment");
    else if (two === "/*") put(endOf(text, "*/", at + 2) + 2, "comment");
    else if (one === '"' || one === "'") {
      const end = quoteEnd(text, at, one);
      put(at + 1, "code");
      put(end, "literal");
      put(end + 1, "code");
    } else if (one === "`") {
      put(at + 1, "code");
      putTemplate(at);
    } else if (one === "}" && templates.at(-1) === braces - 1) {
      templates.pop();
      braces--;
      put(at + 1, "code");
      putTemplate(at);
    } else if (one === "/" && beforeRegex.test(codeBefore(text, kinds, at))) {
      put(regexEnd(text, at), "literal");
    } else {
      if (one === "{") braces++;
      if (one === "}") braces--;
      put(at + 1, "code");
    }
  }
  return { code: only(text, kinds, "code"), comments: only(text, kinds, "comment") };
}

const lookBehind = 40;

function codeBefore(text: string, kinds: readonly Kind[], at: number): string {
  const start = Math.max(0, at - lookBehind);
  return only(text.slice(start, at), kinds.slice(start, at), "code").replaceAll("\n", " ");
}

function only(text: string, kinds: readonly Kind[], kind: Kind): string {
  let kept = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    kept += character === "\n" || kinds[at] === kind ? character : " ";
  }
  return kept;
}

function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found === -1 ? text.length : found;
}

function quoteEnd(text: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < text.length && text[at] !== quote && text[at] !== "\n") {
    at += text[at] === "\\" ? 2 : 1;
  }
  return at;
}

/** Of the template part that begins at `start`: where it ends, or its next `${` is. */
function templateEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== "`" && !text.startsWith("${", at)) {
    at += text[at] === "\\" ? 2 : 1;
  }
  return at;
}

function regexEnd(text: string, start: number): number {
  let inClass = false;
  let at = start + 1;
  for (; at < text.length && text[at] !== "\n"; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "[") inClass = true;
    else if (text[at] === "]") inClass = false;
    else if (text[at] === "/" && !inClass) return at + 1;
  }
  return at;
}
