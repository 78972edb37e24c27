import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError } from "../src/config-error.ts";
import { duration } from "../src/durations.ts";
import {
  httpEnvironment,
  kafkaEnvironment,
  likelyTypos,
  logEnvironment,
  mongoEnvironment,
  readEnvironment,
  registryEnvironment,
  topicSettingsEnvironment,
  topicsEnvironment,
} from "../src/environment.ts";
import { Secret } from "../src/secret.ts";

const schema = z
  .object({
    ...kafkaEnvironment,
    ...registryEnvironment,
    ...mongoEnvironment,
    ...topicsEnvironment,
    ...topicSettingsEnvironment,
    ...httpEnvironment,
    ...logEnvironment,
    WINDOW_SIZE: duration.prefault("1m"),
    WINDOW_SLIDE: duration.prefault("30s"),
  })
  .refine((env) => env.WINDOW_SLIDE <= env.WINDOW_SIZE, {
    path: ["WINDOW_SLIDE"],
    error: "must not be longer than WINDOW_SIZE",
  });

type Env = Record<string, string>;

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "adstream-environment-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function problems(env: Env, envFile: string | null = null): readonly string[] {
  try {
    readEnvironment(schema, { env, file: envFile });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test("an empty environment gives the documented defaults", () => {
  const { MONGODB_URL, ...config } = readEnvironment(schema, { env: {}, file: null });
  expect(MONGODB_URL.reveal()).toBe("mongodb://localhost:27017/?directConnection=true");
  expect(config).toEqual({
    KAFKA_BROKERS: ["localhost:9092"],
    KAFKA_SECURITY_PROTOCOL: "PLAINTEXT",
    KAFKA_SASL_MECHANISM: "PLAIN",
    SCHEMA_REGISTRY_URL: "http://localhost:8081",
    MONGODB_DATABASE: "Advertisement",
    MONGODB_COLLECTION: "ad_stats",
    EVENTS_TOPIC: "ad_topic",
    RESULTS_TOPIC: "ad_stats",
    DEAD_LETTER_TOPIC: "ad_topic.dlq",
    LATE_TOPIC: "ad_topic.late",
    AUDIT_TOPIC: "ad_topic.audit",
    TOPIC_PARTITIONS: 4,
    HTTP_HOST: "127.0.0.1",
    HTTP_PORT: 0,
    LOG_LEVEL: "info",
    WINDOW_SIZE: 60_000,
    WINDOW_SLIDE: 30_000,
  });
});

describe("sources", () => {
  test("the process wins over the file, and the command line over both", () => {
    const envFile = file("wins.env", "HTTP_PORT=1\nTOPIC_PARTITIONS=1\nLOG_LEVEL=debug # loud\n");
    const config = readEnvironment(schema, {
      env: { HTTP_PORT: "2", TOPIC_PARTITIONS: "2" },
      file: envFile,
      overrides: new Map([["TOPIC_PARTITIONS", { flag: "--partitions", value: "3" }]]),
    });
    expect(config).toMatchObject({ HTTP_PORT: 2, TOPIC_PARTITIONS: 3, LOG_LEVEL: "debug" });
  });

  test("a file that does not exist is no mistake", () => {
    expect(problems({}, join(directory, "absent.env"))).toEqual([]);
  });

  test("a file that cannot be read is one", () => {
    expect(problems({}, directory)).toEqual([`${directory} cannot be read: EISDIR`]);
  });

  test("an empty variable counts as not set, also against the file", () => {
    const envFile = file("empty.env", "KAFKA_SASL_USERNAME=somebody\n");
    expect(problems({ KAFKA_SASL_USERNAME: "", LOG_LEVEL: "" }, envFile)).toEqual([]);
  });

  test("a password may come from a file, without the newline at its end", () => {
    const path = file("password", "p4ss w0rd\n");
    const config = readEnvironment(schema, {
      env: {
        KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
        KAFKA_SASL_USERNAME: "me",
        KAFKA_SASL_PASSWORD_FILE: path,
      },
      file: null,
    });
    expect(config.KAFKA_SASL_PASSWORD?.reveal()).toBe("p4ss w0rd");
  });

  test.each([
    [
      "is missing",
      { SCHEMA_REGISTRY_PASSWORD_FILE: "/absent" },
      "the file cannot be read (ENOENT)",
    ],
    [
      "is empty",
      () => ({ SCHEMA_REGISTRY_PASSWORD_FILE: file("none", "\n") }),
      "the file is empty",
    ],
  ])("a password file that %s is named", (_case, env, complaint) => {
    const given = typeof env === "function" ? env() : env;
    const lines = problems({ ...given, SCHEMA_REGISTRY_USERNAME: "me" });
    expect(lines).toContain(`SCHEMA_REGISTRY_PASSWORD_FILE: ${complaint}`);
  });

  test("a password given twice is a mistake", () => {
    const path = file("twice", "one");
    expect(
      problems({
        SCHEMA_REGISTRY_USERNAME: "me",
        SCHEMA_REGISTRY_PASSWORD: "two",
        SCHEMA_REGISTRY_PASSWORD_FILE: path,
      }),
    ).toEqual([
      "SCHEMA_REGISTRY_PASSWORD and SCHEMA_REGISTRY_PASSWORD_FILE are both set: only one of them may be",
    ]);
  });
});

test("all mistakes are listed at once, each with the value and what is allowed", () => {
  expect(
    problems({
      KAFKA_BROKERS: "kafka",
      KAFKA_SECURITY_PROTOCOL: "sasl_ssl",
      SCHEMA_REGISTRY_URL: "localhost:8081",
      EVENTS_TOPIC: "ad topic",
      TOPIC_PARTITIONS: "0",
      HTTP_PORT: "0x50",
      LOG_LEVEL: "loud",
      WINDOW_SIZE: "60",
    }),
  ).toEqual([
    'KAFKA_BROKERS is "kafka": must be host:port, several separated by commas',
    'KAFKA_SECURITY_PROTOCOL is "sasl_ssl": must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL',
    'SCHEMA_REGISTRY_URL is "localhost:8081": must begin with http:// or https:// and name a host',
    'EVENTS_TOPIC is "ad topic": must be 1 to 249 letters, digits, dots, underscores or dashes',
    'TOPIC_PARTITIONS is "0": must be a whole number from 1 to 10000',
    'HTTP_PORT is "0x50": must be a whole number from 0 to 65535',
    'LOG_LEVEL is "loud": must be one of fatal, error, warn, info, debug, trace, silent',
    'WINDOW_SIZE is "60": must be a duration like 500ms, 10s, 1m or 1h',
  ]);
});

describe("rules between settings", () => {
  const token = "t".repeat(32);
  const sasl = { KAFKA_SASL_USERNAME: "me", KAFKA_SASL_PASSWORD: "pass-word" };
  test.each<[string, Env, string[]]>([
    [
      "SASL needs credentials",
      { KAFKA_SECURITY_PROTOCOL: "SASL_SSL" },
      [
        "KAFKA_SASL_USERNAME is not set: KAFKA_SECURITY_PROTOCOL SASL_SSL needs it",
        "KAFKA_SASL_PASSWORD is not set: KAFKA_SECURITY_PROTOCOL SASL_SSL needs it",
      ],
    ],
    ["credentials with SASL are fine", { KAFKA_SECURITY_PROTOCOL: "SASL_SSL", ...sasl }, []],
    [
      "credentials that would not be used are a mistake",
      sasl,
      [
        "KAFKA_SASL_USERNAME is set: KAFKA_SECURITY_PROTOCOL must be SASL_SSL for it to be used",
        "KAFKA_SASL_PASSWORD is set: KAFKA_SECURITY_PROTOCOL must be SASL_SSL for it to be used",
      ],
    ],
    [
      "a password does not cross the network in the clear",
      { KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT", KAFKA_BROKERS: "localhost:1,kafka:2", ...sasl },
      ["KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT: only for brokers on localhost, use SASL_SSL"],
    ],
    [
      "a password may stay on this machine in the clear",
      { KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT", KAFKA_BROKERS: "127.0.0.1:1, [::1]:2", ...sasl },
      [],
    ],
    [
      "a certificate that would not be used is a mistake",
      { KAFKA_SSL_CA_FILE: import.meta.filename },
      [
        "KAFKA_SSL_CA_FILE is set: KAFKA_SECURITY_PROTOCOL must be SSL or SASL_SSL for it to be used",
      ],
    ],
    [
      "a certificate with TLS is fine",
      { KAFKA_SSL_CA_FILE: import.meta.filename, KAFKA_SECURITY_PROTOCOL: "SSL" },
      [],
    ],
    [
      "registry credentials come together",
      { SCHEMA_REGISTRY_USERNAME: "me" },
      ["SCHEMA_REGISTRY_PASSWORD is not set: user name and password belong together"],
    ],
    [
      "a registry's password does not cross the network in the clear",
      {
        SCHEMA_REGISTRY_URL: "http://registry:8081",
        SCHEMA_REGISTRY_USERNAME: "me",
        SCHEMA_REGISTRY_PASSWORD: "pass-word",
      },
      ["SCHEMA_REGISTRY_URL begins with http://: with a password only for localhost, use https://"],
    ],
    [
      "a switch of Node that leaves certificates unchecked is a mistake",
      { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      [expect.stringContaining("NODE_TLS_REJECT_UNAUTHORIZED is 0: anybody in between")],
    ],
    [
      "topics differ, defaults included",
      { RESULTS_TOPIC: "ad_topic" },
      ['RESULTS_TOPIC is "ad_topic": EVENTS_TOPIC is the same topic'],
    ],
    [
      "an endpoint for others needs a token",
      { HTTP_HOST: "0.0.0.0" },
      ['HTTP_TOKEN is not set: HTTP_HOST "0.0.0.0" is reachable by others, so it is needed'],
    ],
    ["an endpoint with a token may be open", { HTTP_HOST: "0.0.0.0", HTTP_TOKEN: token }, []],
    [
      "a token has 32 characters",
      { HTTP_TOKEN: token.slice(1) },
      ["HTTP_TOKEN: must be at least 32 random characters"],
    ],
    [
      "a rule of the service's own is told with the value",
      { WINDOW_SLIDE: "2m" },
      ['WINDOW_SLIDE is "2m": must not be longer than WINDOW_SIZE'],
    ],
    [
      "a rule that a default breaks says so",
      { WINDOW_SIZE: "10s" },
      ["WINDOW_SLIDE, left at its default, must not be longer than WINDOW_SIZE"],
    ],
  ])("%s", (_rule, env, expected) => {
    expect(problems(env)).toEqual(expected);
  });
});

test.each([
  ["http://", false],
  ["http:///x", false],
  ["http://h:port", false],
  ["https://h:1/path", true],
])("the registry's address %j is fine: %s", (SCHEMA_REGISTRY_URL, fine) => {
  expect(problems({ SCHEMA_REGISTRY_URL }).length === 0).toBe(fine);
});

test.each([
  ["mongodb://", false],
  ["mongodb:///db", false],
  ["postgres://h", false],
  ["mongodb://a:1,b:2/db?replicaSet=r", true],
  ["mongodb+srv://u:p@h/db", true],
])("MongoDB's address %j is fine: %s", (MONGODB_URL, fine) => {
  expect(problems({ MONGODB_URL }).length === 0).toBe(fine);
});

test("texts stand in for the defaults of the schema, and rules between settings know them", () => {
  const options = (env: Record<string, string>) => ({
    env,
    file: null,
    defaults: (given: (name: string) => string | undefined): Record<string, string> => ({
      EVENTS_TOPIC: given("LATE_TOPIC") ?? "events",
      NOT_OF_THIS_SCHEMA: "1",
    }),
  });
  expect(readEnvironment(schema, options({}))).toMatchObject({ EVENTS_TOPIC: "events" });
  const given = { EVENTS_TOPIC: "mine" };
  expect(readEnvironment(schema, options(given))).toMatchObject(given);
  expect(() => readEnvironment(schema, options({ LATE_TOPIC: "l" }))).toThrow(
    /LATE_TOPIC is "l": EVENTS_TOPIC is the same topic/,
  );
});

test("a mistyped name is hinted at, names of others are left alone", () => {
  expect(likelyTypos(schema, { env: { KAFKA_BROKER: "x:1", PATH: "/bin" }, file: null })).toEqual([
    "KAFKA_BROKER is not a setting: did you mean KAFKA_BROKERS?",
  ]);
  expect(problems({ KAFKA_BROKER: "x:1", LOG_LEVEL: "loud" })).toHaveLength(2);
});

test.for([
  ["SKHEMA_REGISTRY_URI", "SCHEMA_REGISTRY_URL"],
  ["XXSCHEMA_REGISTRY_URL", "SCHEMA_REGISTRY_URL"],
  ["SCHEMA_REGISTRY_URLXX", "SCHEMA_REGISTRY_URL"],
  ["XXXSCHEMA_REGISTRY_URL", undefined],
  ["SKHEMA_REGISTRI_URI", undefined],
  ["KAFKA_BROKERZZ", "KAFKA_BROKERS"],
])("%s is two keystrokes from %s, at the most", ([name = "", meant]) => {
  const hint = `${name} is not a setting: did you mean ${meant}?`;
  const hints = likelyTypos(schema, { env: { [name]: "x" }, file: null });
  expect(hints).toEqual(meant === undefined ? [] : [hint]);
});

describe("whatever the environment holds", () => {
  const canary = "c4n4ry-s3cr3t";
  const names = Object.keys(schema.shape);
  const nearly = fc.constantFrom(
    "SASL_SSL",
    "PLAIN",
    "localhost:9092",
    "10s",
    "0",
    "off",
    "mongodb://h",
    "http://h",
    "::1",
  );
  /** What our own words never hold. */
  const internals = /\n\s+at |zod|undefined|NaN/i;
  // Values are quoted in messages.
  const garbage = fc
    .oneof(fc.string({ maxLength: 80 }), fc.string({ unit: "binary" }), nearly)
    .filter((text) => !internals.test(text));
  const environments = fc.dictionary(fc.constantFrom(...names), garbage);
  const secrets = fc.subarray([
    "KAFKA_SASL_PASSWORD",
    "SCHEMA_REGISTRY_PASSWORD",
    "HTTP_TOKEN",
    "MONGODB_URL",
    "KAFKA_SASL_PASSWORD_FILE",
  ]);

  test("it is read, or every mistake is a line without secret and without stack", () => {
    fc.assert(
      fc.property(environments, secrets, (env, secretNames) => {
        const given = { ...env, ...Object.fromEntries(secretNames.map((name) => [name, canary])) };
        try {
          const config = readEnvironment(schema, { env: given, file: null });
          expect(JSON.stringify(config)).not.toContain(canary);
          expect(config.MONGODB_URL).toBeInstanceOf(Secret);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          const text = error.problems.join("\n");
          expect(error.problems.length).toBeGreaterThan(0);
          expect(text).not.toContain(canary);
          expect(text).not.toMatch(internals);
          for (const line of error.problems) expect(line).toMatch(/^[A-Z][A-Z_]+[ :,]/);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a password inside a URL is not quoted", () => {
    const lines = problems({ SCHEMA_REGISTRY_URL: `htp://me:${canary}@host` });
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toContain(canary);
  });
});
