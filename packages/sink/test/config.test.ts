import { ConfigError } from "@adstream/service/config-error";
import { readEnvironment } from "@adstream/service/environment";
import { expect, test } from "vitest";

import { environment } from "../src/config.ts";

function problems(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    readEnvironment(environment, { env, file: null });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test("without settings the sink keeps everything and reaches the servers of this machine", () => {
  const config = readEnvironment(environment, { env: {}, file: null });
  expect(config).toMatchObject({
    RESULTS_TOPIC: "ad_stats",
    SINK_GROUP: "adstream-sink",
    MONGODB_DATABASE: "Advertisement",
    MONGODB_COLLECTION: "ad_stats",
    RESULT_TTL: null,
    KAFKA_SESSION_TIMEOUT: 8_000,
  });
});

test("results may be kept for a time", () => {
  const { RESULT_TTL } = readEnvironment(environment, { env: { RESULT_TTL: "24h" }, file: null });
  expect(RESULT_TTL).toBe(86_400_000);
});

test("all mistakes are listed at once, and none quotes a password", () => {
  const listed = problems({
    MONGODB_URL: "mongodb://me:s3cret@h:1/?replicaSet=a&noSuchOption=1",
    RESULT_TTL: "soon",
    SINK_GROUP: "a b",
    KAFKA_SESSION_TIMEOUT: "1ms",
  });
  expect(
    listed.map((line) => line.split(/[ :]/)[0]).sort((a = "", b = "") => a.localeCompare(b)),
  ).toEqual(["KAFKA_SESSION_TIMEOUT", "MONGODB_URL", "RESULT_TTL", "SINK_GROUP"]);
  expect(listed.join()).not.toContain("s3cret");
});
