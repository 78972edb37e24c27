import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  canary,
  openStage,
  type Service,
  services,
  type Stage,
  startService,
} from "./startup-stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.resources.disposeAsync());

describe.concurrent("in plain Node", () => {
  test.each(services)("the %s starts, and says what it takes", async (service) => {
    const { code, said } = startService(stage, service, {}, ["--help"]);
    expect(await code).toBe(0);
    expect(said()).toMatch(new RegExp(`^usage: pnpm ${service} `));
  });
});

/** Wrong for every service, and what is said about it. */
const mistakes = {
  KAFKA_BROKERS: "broker-1",
  KAFKA_SECURITY_PROTOCOL: "TLS",
  KAFKA_SASL_PASSWORD: canary,
  SCHEMA_REGISTRY_URL: `ftp://me:${canary}@registry`,
  SCHEMA_REGISTRY_PASSWORD: canary,
  HTTP_PORT: "http",
  HTTP_TOKEN: canary,
  LOG_LEVEL: "loud",
};
const complaints = [
  'KAFKA_BROKERS is "broker-1": must be host:port, several separated by commas',
  'KAFKA_SECURITY_PROTOCOL is "TLS": must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL',
  "SCHEMA_REGISTRY_URL is a value with @ (not shown, it may hold a password): must begin with http:// or https:// and name a host",
  'HTTP_PORT is "http": must be a whole number from 0 to 65535',
  'LOG_LEVEL is "loud": must be one of fatal, error, warn, info, debug, trace, silent',
  "KAFKA_SASL_PASSWORD is set: KAFKA_SECURITY_PROTOCOL must be SASL_SSL for it to be used",
  "SCHEMA_REGISTRY_USERNAME is not set: user name and password belong together",
  "HTTP_TOKEN: must be at least 32 random characters",
];

const garbage: readonly [Service, Readonly<Record<string, string>>, readonly string[]][] = [
  [
    "producer",
    { EVENTS_TOPIC: "a b", PRODUCER_RATE: "fast" },
    [
      'EVENTS_TOPIC is "a b": must be 1 to 249 letters, digits, dots, underscores or dashes',
      'PRODUCER_RATE is "fast": must be a number from 0.001 to 1000000',
    ],
  ],
  [
    "processor",
    { CHECKPOINT_URL: "s3://bucket", WINDOW_SIZE: "60", EMIT: "late" },
    [
      'CHECKPOINT_URL is "s3://bucket": must be a local directory like file:.data/checkpoints or a bucket like gs://bucket/prefix',
      'WINDOW_SIZE is "60": must be a duration like 500ms, 10s, 1m or 1h',
      'EMIT is "late": must be one of early, final',
    ],
  ],
  [
    "sink",
    { MONGODB_URL: `postgres://me:${canary}@db`, RESULT_TTL: "-1d" },
    [
      "MONGODB_URL: must begin with mongodb:// or mongodb+srv:// and name a host",
      'RESULT_TTL is "-1d": must be a duration like 500ms, 10s, 1m or 1h, or off',
    ],
  ],
];

describe.concurrent("with wrong settings", () => {
  test.each(garbage)(
    "the %s ends with 64, lists all of them at once and quotes no secret",
    async (service, env, own) => {
      const { code, said, stderr } = startService(stage, service, {
        ...stage.environment,
        ...mistakes,
        ...env,
      });
      expect(await code).toBe(64);
      const [head, ...lines] = stderr().trimEnd().split("\n");
      const expected = [...complaints, ...own].map((line) => `  ${line}`);
      expect(head).toBe(`adstream ${service}: ${expected.length} settings are wrong`);
      expect(lines.toSorted()).toEqual(expected.toSorted());
      expect(said()).toBe(stderr());
      expect(said()).not.toContain(canary);
    },
  );
});
