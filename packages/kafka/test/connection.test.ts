import { connectKafka, type KafkaSettings } from "@adstream/kafka/connection";
import { expect, test } from "vitest";

import { memoryLog } from "./broker-fixture.ts";

const sasl = { mechanism: "PLAIN", username: "u", password: "canary-secret" } as const;

function connect(settings: Partial<KafkaSettings>) {
  return connectKafka(
    { brokers: ["kafka:9092"], clientId: "c", securityProtocol: "PLAINTEXT", ...settings },
    memoryLog(),
  );
}

test.each([
  [
    "a password in the clear",
    { securityProtocol: "SASL_PLAINTEXT", sasl },
    /kafka:9092 unencrypted/,
  ],
  [
    "a password in the clear to one of several brokers",
    { securityProtocol: "SASL_PLAINTEXT", sasl, brokers: ["localhost:9092", "10.0.0.1:9092"] },
    /10\.0\.0\.1:9092/,
  ],
  [
    "a name that only begins like loopback",
    { securityProtocol: "SASL_PLAINTEXT", sasl, brokers: ["127.0.0.1.example.com:9092"] },
    /unencrypted/,
  ],
  ["SASL without a password", { securityProtocol: "SASL_SSL" }, /needs a username/],
  [
    "a CA file that is not there",
    { securityProtocol: "SSL", caFile: "/nowhere.pem" },
    /nowhere\.pem/,
  ],
] as const)("%s is refused as configuration", (_what, settings, message) => {
  const open = () => connect(settings);
  expect(open).toThrow(message);
  expect(open).toThrow(expect.objectContaining({ code: "NOT_AUTHORIZED", exitCode: 64 }));
  expect(open).not.toThrow(/canary/);
});

test.each([
  { securityProtocol: "PLAINTEXT" },
  { securityProtocol: "SSL" },
  { securityProtocol: "SASL_SSL", sasl },
  { securityProtocol: "SASL_PLAINTEXT", sasl, brokers: ["127.0.0.1:9092", "[::1]:9092"] },
  { securityProtocol: "SASL_SSL", sasl: { ...sasl, mechanism: "SCRAM-SHA-512" } },
] as const)("$securityProtocol is accepted, and the brokers stay known", (settings) => {
  const connection = connect(settings);
  expect(connection.brokers).toEqual("brokers" in settings ? settings.brokers : ["kafka:9092"]);
});
