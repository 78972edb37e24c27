import { expect, test } from "vitest";
import { errorCodes, StreamError } from "../src/errors.ts";

test("an error knows its consequence and the exit code of its code", () => {
  const cause = new Error("inner");
  const error = new StreamError("RECORDS_EXPIRED", "stop", "3 records were removed", { cause });
  expect(error).toMatchObject({ name: "StreamError", disposition: "stop", exitCode: 78, cause });
});

test.each(["STATE_LOST", "LOG_REPLACED", "RECORDS_EXPIRED", "STATE_INCOMPATIBLE"] as const)(
  "%s waits for an operator",
  (code) => expect(errorCodes[code]).toBe(78),
);

test("the breaker ends with 65, what a restart mends with 70", () => {
  expect(errorCodes.DEAD_LETTER_BREAKER).toBe(65);
  expect([errorCodes.PUBLISH_DEADLINE, errorCodes.OFFSET_GAP, errorCodes.INTERNAL]).toEqual([
    70, 70, 70,
  ]);
});
