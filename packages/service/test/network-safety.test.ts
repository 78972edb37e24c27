import { expect, test } from "vitest";
import { hostsOf, networkProblems } from "../src/network-safety.ts";

const names = ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "MONGODB_URL"];

function problems(settings: Record<string, string>, env: Record<string, string>): string[] {
  return networkProblems(names, (name) => settings[name], env);
}

test.each([
  ["kafka:9092", ["kafka"]],
  ["a:1, [::1]:2,c:3", ["a", "[::1]", "c"]],
  ["https://registry.example:8081/path?x=@y", ["registry.example"]],
  ["http://me:p@ss@registry", ["registry"]],
  ["mongodb://u:p@a:1,b:2/db?tls=true", ["a", "b"]],
  ["mongodb+srv://u:p@cluster.example/?x=1", ["cluster.example"]],
])("%s names the hosts %j", (text, hosts) => {
  expect(hostsOf(text)).toEqual(hosts);
});

const remote = { KAFKA_BROKERS: "pkc.example:9092" };
const nodeSwitch = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
const allowed = { ALLOW_INSECURE_TLS: "1" };
const mongoSwitch = {
  MONGODB_URL: "mongodb://localhost/?tls=true&tlsAllowInvalidCertificates=true",
};

test.each([
  ["is refused with any server elsewhere", remote, { ...nodeSwitch, ...allowed }, 1],
  ["is refused without permission", {}, nodeSwitch, 1],
  ["is let through on this machine, with permission", {}, { ...nodeSwitch, ...allowed }, 0],
  ["is refused in MongoDB's URL too", mongoSwitch, {}, 1],
  ["is let through there, with permission", mongoSwitch, allowed, 0],
  ["is refused there with other servers elsewhere", { ...remote, ...mongoSwitch }, allowed, 1],
  ["is what nobody asked for by default", remote, { NODE_TLS_REJECT_UNAUTHORIZED: "1" }, 0],
])("TLS without a check of certificates %s", (_case, settings, env, count) => {
  expect(problems(settings, env)).toEqual(
    Array.from({ length: count }, () => expect.stringContaining("ALLOW_INSECURE_TLS=1")),
  );
});

test("the switch of kafkajs that prints records and passwords is refused", () => {
  expect(problems({}, { KAFKAJS_DEBUG_PROTOCOL_BUFFERS: "1" })).toEqual([
    "KAFKAJS_DEBUG_PROTOCOL_BUFFERS is set: it prints records and passwords, unset it",
  ]);
  expect(problems({}, { KAFKAJS_DEBUG_PROTOCOL_BUFFERS: "" })).toEqual([]);
});
