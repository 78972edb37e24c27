import { expect, test } from "vitest";
import { z } from "zod";
import { kafkaSettings, registrySettings } from "../src/connection-settings.ts";
import { kafkaEnvironment, readEnvironment, registryEnvironment } from "../src/environment.ts";

const schema = z.object({ ...kafkaEnvironment, ...registryEnvironment });

function read(env: Record<string, string>): z.output<typeof schema> {
  return readEnvironment(schema, { env, file: null });
}

test("without credentials there are none in the settings", () => {
  const config = read({ KAFKA_BROKERS: "a:1,b:2" });
  expect(kafkaSettings(config, "adstream-test")).toEqual({
    brokers: ["a:1", "b:2"],
    clientId: "adstream-test",
    securityProtocol: "PLAINTEXT",
  });
  expect(registrySettings(config)).toEqual({ url: "http://localhost:8081" });
});

test("credentials are handed over in the clear, to those who connect", () => {
  const config = read({
    KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
    KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
    KAFKA_SASL_USERNAME: "me",
    KAFKA_SASL_PASSWORD: "pass-word",
    KAFKA_SSL_CA_FILE: import.meta.filename,
    SCHEMA_REGISTRY_USERNAME: "you",
    SCHEMA_REGISTRY_PASSWORD: "word-pass",
  });
  expect(kafkaSettings(config, "adstream-test")).toEqual({
    brokers: ["localhost:9092"],
    clientId: "adstream-test",
    securityProtocol: "SASL_SSL",
    sasl: { mechanism: "SCRAM-SHA-512", username: "me", password: "pass-word" },
    caFile: import.meta.filename,
  });
  expect(registrySettings(config)).toEqual({
    url: "http://localhost:8081",
    username: "you",
    password: "word-pass",
  });
});
