import { inspect } from "node:util";
import { expect, test } from "vitest";
import { Secret, scrubber } from "../src/secret.ts";

test("a secret prints as [redacted] by every way of printing", () => {
  const secret = new Secret("canary");
  const prints = [String(secret), "" + secret, JSON.stringify({ secret }), inspect({ secret })];
  expect(prints.join()).not.toContain("canary");
  expect(prints).toEqual([
    "[redacted]",
    "[redacted]",
    '{"secret":"[redacted]"}',
    "{ secret: [redacted] }",
  ]);
  expect(secret.reveal()).toBe("canary");
});

test.each([
  ["a secret on its own", "wrong: s3cr3t!", "wrong: [redacted]"],
  ["a secret in JSON", JSON.stringify({ m: 'q"uo\\te' }), '{"m":"[redacted]"}'],
  ["a secret in a URL", "at a%20b%20c/", "at [redacted]/"],
  ["credentials of any URL", "http://u:p@host:1/x", "http://[redacted]@host:1/x"],
  ["a MongoDB password with slashes", "mongodb+srv://u:p/w@h/db", "mongodb+srv://[redacted]@h/db"],
  ["a longer secret before the one it holds", "s3cr3t!longer", "[redacted]"],
  ["no short secrets", "abc", "abc"],
  ["no addresses without credentials", "http://host/@me", "http://host/@me"],
])("scrubbing takes out %s", (_case, text, clean) => {
  const secrets = ["s3cr3t!", 'q"uo\\te', "a b c", "s3cr3t!longer", "abc"];
  expect(scrubber(secrets.map((value) => new Secret(value)))(text)).toBe(clean);
});
