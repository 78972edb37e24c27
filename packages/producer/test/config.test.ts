import { ConfigError } from "@adstream/service/config-error";
import { readEnvironment } from "@adstream/service/environment";
import { readFlags } from "@adstream/service/flags";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { environment, flags, trafficSettings } from "../src/config.ts";

function read(
  argv: string[],
  env: Record<string, string> = {},
): ReturnType<typeof trafficSettings> {
  const { overrides, problems } = readFlags(argv, flags);
  return trafficSettings(readEnvironment(environment, { env, file: null, overrides, problems }));
}

function problems(argv: string[], env: Record<string, string> = {}): readonly string[] {
  try {
    read(argv, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test("without anything said there are 500 events a second of 50 ads, half of them repeats, none of them bad", () => {
  const config = readEnvironment(environment, { env: {}, file: null });
  expect([config.PRODUCER_RATE, config.PRODUCER_COUNT]).toEqual([500, undefined]);
  expect(trafficSettings(config)).toEqual({
    seed: 1,
    ads: 50,
    repeatRatio: 0.5,
    redeliverRatio: 0,
    outOfOrderRatio: 0,
    maxDisorderMs: 5_000,
    lateRatio: 0,
    lateByMs: 300_000,
    badRatio: 0,
  });
});

test("flags win over the environment", () => {
  expect(read(["--ads=7"], { PRODUCER_ADS: "8", PRODUCER_SEED: "9" })).toMatchObject({
    ads: 7,
    seed: 9,
  });
});

test("every variable of the producer's own has a flag", () => {
  const shared = new Set(["JOB", "EVENTS_FORMAT"]);
  const own = Object.keys(environment.shape).filter(
    (name) => name.startsWith("PRODUCER_") || shared.has(name),
  );
  expect(
    Object.values(flags)
      .map((flag) => flag.variable)
      .toSorted(),
  ).toEqual(own.toSorted());
});

test("mistakes are listed together, flags and environment", () => {
  expect(
    problems(["--rate", "fast", "--repeat-ratio=1.5", "--late-by", "5"], { HTTP_PORT: "-1" }),
  ).toEqual([
    'HTTP_PORT is "-1": must be a whole number from 0 to 65535',
    '--rate is "fast": must be a number from 0.001 to 1000000',
    '--repeat-ratio is "1.5": must be a number from 0 to 1',
    '--late-by is "5": must be a duration like 500ms, 10s, 1m or 1h, from 1ms to 720h',
  ]);
});

const fixed = "must be left out: the traffic for JOB=campaign-counts is always the same";

test.each([
  [[], []],
  [["--format=avro"], []],
  [["--job=campaign-counts", "--format=avro"], []],
  [["--job=campaign-counts", "--format=json"], []],
  [
    ["--job=campaign-counts", "--ads=51", "--late-ratio=0.1", "--late-by=5m"],
    [`--ads is "51": ${fixed}`, `--late-ratio is "0.1": ${fixed}`],
  ],
  [
    ["--format=json"],
    ['--format is "json": must be avro: there is no other traffic for JOB=ad-stats'],
  ],
  [["--model=bursty"], ['--model is "bursty": must be one of uniform, poisson, mmpp']],
])("job, format and model are known, and the job reads the format: %j", (argv, expected) => {
  expect(problems(argv)).toEqual(expected);
});

test.each([
  ["--redeliver-ratio=0.6", "--bad-ratio=0.5"],
  ["--out-of-order-ratio=0.6", "--late-ratio=0.5"],
])("shares of one whole stay within it: %s %s", (...argv) => {
  expect(problems(argv)).toEqual([expect.stringMatching(/must not exceed 1 together with/)]);
});

test("whatever is said, it is read or every mistake is a line", () => {
  const names = [...Object.keys(flags).map((name) => `--${name}`), "--", "-x", "--constructor"];
  /** What our own words never hold; those given are quoted. */
  const internals = /\n\s+at |undefined|NaN/;
  const word = fc
    .oneof(fc.constantFrom(...names), fc.string({ maxLength: 12 }), fc.nat().map(String))
    .filter((text) => !internals.test(text));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (argv) => {
      for (const line of problems(argv)) expect(line).not.toMatch(internals);
    }),
  );
});

test("what is said of ad-stats alone is all that its traffic is made from, but for the seed", () => {
  const own = Object.keys(trafficSettings(readEnvironment(environment, { env: {}, file: null })));
  const job = { JOB: "campaign-counts", PRODUCER_BAD_RATIO: "0.9" };
  const others = {
    PRODUCER_ADS: "9",
    PRODUCER_REPEAT_RATIO: "0.9",
    PRODUCER_REDELIVER_RATIO: "0.1",
    PRODUCER_OUT_OF_ORDER_RATIO: "0.9",
    PRODUCER_MAX_DISORDER: "9s",
    PRODUCER_LATE_RATIO: "0.1",
    PRODUCER_LATE_BY: "9m",
  };
  expect(problems([], { ...job, ...others })).toHaveLength(own.length - 1);
});
