import { shown } from "./environment-sources.ts";
import { isLoopback } from "./loopback.ts";
import { hostsOf } from "./network-safety.ts";

/** The text of a setting as given, or undefined. */
type Lookup = (name: string) => string | undefined;

/** A rule between settings: the names it looks at, and what it complains about. */
type Rule = { readonly names: readonly string[]; readonly check: (get: Lookup) => string[] };

/** Below that a token can be guessed. */
export const minTokenLength = 32;

const rules: readonly Rule[] = [
  { names: ["KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_PASSWORD"], check: kafkaCredentials },
  { names: ["KAFKA_SECURITY_PROTOCOL", "KAFKA_BROKERS"], check: clearTextPassword },
  { names: ["KAFKA_SECURITY_PROTOCOL", "KAFKA_SSL_CA_FILE"], check: unusedCertificate },
  { names: ["SCHEMA_REGISTRY_USERNAME"], check: registryCredentials },
  { names: ["SCHEMA_REGISTRY_URL", "SCHEMA_REGISTRY_PASSWORD"], check: clearTextRegistry },
  { names: ["EVENTS_TOPIC", "RESULTS_TOPIC"], check: differentTopics },
  { names: ["HTTP_HOST", "HTTP_TOKEN"], check: openEndpoint },
];

/** Complaints about settings that are sound one by one but not together; only for schemas that hold the group. */
export function groupProblems(names: readonly string[], get: Lookup): string[] {
  return rules
    .filter((rule) => rule.names.every((name) => names.includes(name)))
    .flatMap((rule) => rule.check(get));
}

function kafkaCredentials(get: Lookup): string[] {
  const protocol = get("KAFKA_SECURITY_PROTOCOL") ?? "PLAINTEXT";
  const names = ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"];
  if (protocol.startsWith("SASL_")) {
    return names
      .filter((name) => get(name) === undefined)
      .map((name) => `${name} is not set: KAFKA_SECURITY_PROTOCOL ${protocol} needs it`);
  }
  return names
    .filter((name) => get(name) !== undefined)
    .map((name) => `${name} is set: KAFKA_SECURITY_PROTOCOL must be SASL_SSL for it to be used`);
}

function clearTextPassword(get: Lookup): string[] {
  if (get("KAFKA_SECURITY_PROTOCOL") !== "SASL_PLAINTEXT") return [];
  const brokers = (get("KAFKA_BROKERS") ?? "localhost:9092").split(",");
  const remote = brokers.filter((broker) => !isLoopback(broker.trim().replace(/:\d*$/, "")));
  if (remote.length === 0) return [];
  return ["KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT: only for brokers on localhost, use SASL_SSL"];
}

function unusedCertificate(get: Lookup): string[] {
  const protocol = get("KAFKA_SECURITY_PROTOCOL") ?? "PLAINTEXT";
  if (get("KAFKA_SSL_CA_FILE") === undefined || protocol.endsWith("SSL")) return [];
  return [
    "KAFKA_SSL_CA_FILE is set: KAFKA_SECURITY_PROTOCOL must be SSL or SASL_SSL for it to be used",
  ];
}

function registryCredentials(get: Lookup): string[] {
  const names = ["SCHEMA_REGISTRY_USERNAME", "SCHEMA_REGISTRY_PASSWORD"];
  const missing = names.filter((name) => get(name) === undefined);
  if (missing.length !== 1) return [];
  return missing.map((name) => `${name} is not set: user name and password belong together`);
}

function clearTextRegistry(get: Lookup): string[] {
  const url = get("SCHEMA_REGISTRY_URL") ?? "http://localhost:8081";
  if (!url.startsWith("http://") || get("SCHEMA_REGISTRY_PASSWORD") === undefined) return [];
  if (hostsOf(url).every((host) => isLoopback(host))) return [];
  return [
    "SCHEMA_REGISTRY_URL begins with http://: with a password only for localhost, use https://",
  ];
}

const topicDefaults = [
  ["EVENTS_TOPIC", "ad_topic"],
  ["RESULTS_TOPIC", "ad_stats"],
  ["DEAD_LETTER_TOPIC", "ad_topic.dlq"],
  ["LATE_TOPIC", "ad_topic.late"],
  ["AUDIT_TOPIC", "ad_topic.audit"],
] as const;

function differentTopics(get: Lookup): string[] {
  const owners = new Map<string, string>();
  const problems: string[] = [];
  for (const [name, fallback] of topicDefaults) {
    const topic = get(name) ?? fallback;
    const owner = owners.get(topic);
    if (owner === undefined) owners.set(topic, name);
    else problems.push(`${name} is ${JSON.stringify(topic)}: ${owner} is the same topic`);
  }
  return problems;
}

function openEndpoint(get: Lookup): string[] {
  const host = get("HTTP_HOST") ?? "127.0.0.1";
  const token = get("HTTP_TOKEN");
  if (token !== undefined && token.length < minTokenLength) {
    return [`HTTP_TOKEN: must be at least ${minTokenLength} random characters`];
  }
  if (isLoopback(host) || token !== undefined) return [];
  return [
    `HTTP_TOKEN is not set: HTTP_HOST ${shown(host)} is reachable by others, so it is needed`,
  ];
}
