import { StreamError } from "@adstream/engine/errors";
import { MongoInvalidArgumentError, MongoNetworkError, MongoServerError } from "mongodb";
import { describe, expect, test } from "vitest";

import { mongoError } from "../src/mongo-errors.ts";

const server = "db.example:27017";

function codeAndDisposition(error: Error): unknown {
  return error instanceof StreamError ? [error.code, error.disposition] : error.name;
}

describe("an error of the driver", () => {
  test.each<[string, Error]>([
    ["a broken connection", new MongoNetworkError("connect ECONNREFUSED")],
    [
      "a socket that the driver let through",
      Object.assign(new Error("write ECONNRESET"), { code: "ECONNRESET", syscall: "write" }),
    ],
    ["an election", new MongoServerError({ message: "not primary", code: 10_107 })],
    ["a code nobody thought of", new MongoServerError({ message: "?", code: 987_654 })],
  ])("about %s is for retry", (_, error) => {
    expect(codeAndDisposition(mongoError(error, server))).toEqual(["SERVER_UNAVAILABLE", "retry"]);
  });

  test.each([13, 18, 8_000])("with code %d is about rights and stops", (code) => {
    const error = new MongoServerError({ message: "no", code });
    expect(codeAndDisposition(mongoError(error, server))).toEqual(["NOT_AUTHORIZED", "stop"]);
  });

  test.each<[string, Error]>([
    ["a wrong argument", new MongoInvalidArgumentError("ordered must be boolean")],
    ["a bug", new TypeError("x is not a function")],
  ])("about %s is not retried", (_, error) => {
    expect(mongoError(error, server)).toBe(error);
  });

  test("is one line, names the server, and holds no password", () => {
    const url = "mongodb+srv://me:p%40ss@cluster.example/x";
    const error = mongoError(new MongoNetworkError(`cannot reach\n  ${url}`), server);
    expect(error.message).toBe(
      "MongoDB at db.example:27017 (MONGODB_URL) does not answer: " +
        "cannot reach mongodb+srv://cluster.example/x",
    );
  });
});
