import { expect, test } from "vitest";
import { openLog } from "../src/log.ts";
import { Secret } from "../src/secret.ts";
import type { LogLevel } from "../src/log.ts";

function logged(level: LogLevel, write: (log: ReturnType<typeof openLog>) => void): string[] {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  write(openLog({ name: "test", level, secrets: [new Secret("c4n4ry")], destination }));
  return lines;
}

function loggedError(error: unknown, level: LogLevel = "info"): unknown {
  const [line = "{}"] = logged(level, (log) => log.error({ err: error }, "it failed"));
  return JSON.parse(line).err;
}

class Foreseen extends Error {
  override readonly name = "StreamError";
  readonly disposition = "stop";
  readonly code: string;
  readonly request = { sasl: "not to be seen" };
  constructor(code: string, options?: ErrorOptions) {
    super("offset 7 is gone", options);
    this.code = code;
  }
}

test("a line is JSON with level, time, service, fields and message", () => {
  const [line = ""] = logged("info", (log) => log.info({ partition: 3 }, "partition assigned"));
  expect(JSON.parse(line)).toEqual({
    level: 30,
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    service: "test",
    partition: 3,
    msg: "partition assigned",
  });
});

test("below the level nothing is written", () => {
  expect(logged("warn", (log) => log.info("quiet"))).toEqual([]);
});

test("an error that was foreseen shows code, disposition and causes, and nothing else", () => {
  const cause = Object.assign(new Error("connect"), { code: "ECONNREFUSED", port: 9, secret: "x" });
  expect(loggedError(new Foreseen("RECORDS_EXPIRED", { cause }))).toEqual({
    type: "StreamError",
    message: "offset 7 is gone",
    code: "RECORDS_EXPIRED",
    disposition: "stop",
    cause: { type: "Error", message: "connect", code: "ECONNREFUSED", port: 9 },
  });
});

test("the causes of a foreseen error show no stacks, those of an unforeseen one do", () => {
  const cause = new TypeError("of a library", { cause: new Error("deeper") });
  const stacks = (error: Error): number =>
    (JSON.stringify(loggedError(error)).match(/"stack"/g) ?? []).length;
  expect(stacks(new Foreseen("RECORDS_EXPIRED", { cause }))).toBe(0);
  expect(stacks(new Foreseen("INTERNAL", { cause }))).toBe(3);
});

test.each([
  ["an error nobody foresaw", new TypeError("x"), "info", true],
  ["an internal error", new Foreseen("INTERNAL"), "info", true],
  ["a foreseen error", new Foreseen("RECORDS_EXPIRED"), "info", false],
  ["a foreseen error while debugging", new Foreseen("RECORDS_EXPIRED"), "debug", true],
] as const)("%s: %s", (_case, error, level, withStack) => {
  expect(loggedError(error, level)).toHaveProperty("type");
  expect(Object.keys(Object(loggedError(error, level))).includes("stack")).toBe(withStack);
});

test("a chain of causes is cut, even one that bites its tail", () => {
  const error = new Foreseen("RECORDS_EXPIRED");
  error.cause = error;
  expect(JSON.stringify(loggedError(error)).match(/"cause"/g)).toHaveLength(5);
});

test("secrets and credentials are taken out of fields, messages and errors", () => {
  const [line = ""] = logged("info", (log) =>
    log.info(
      {
        password: "0p3n",
        client: { sasl: { password: "0p3n" } },
        err: new Error("mongodb://u:0p3n@host and c4n4ry"),
      },
      "c4n4ry",
    ),
  );
  expect(line).not.toMatch(/0p3n|c4n4ry/);
  expect(line).toContain("mongodb://[redacted]@host and [redacted]");
});

test("a line break in data does not make a second line", () => {
  const [line = ""] = logged("info", (log) => log.info({ adId: "a\nb\r" }, "x"));
  expect(line.trimEnd()).not.toMatch(/[\r\n]/);
});
