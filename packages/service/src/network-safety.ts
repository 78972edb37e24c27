import { isLoopback } from "./loopback.ts";

/** The text of a setting as given, or undefined. */
type Lookup = (name: string) => string | undefined;

/** Addresses of the servers that settings name, with what each default is. */
const serverSettings = [
  ["KAFKA_BROKERS", "localhost:9092"],
  ["SCHEMA_REGISTRY_URL", "http://localhost:8081"],
  ["MONGODB_URL", "mongodb://localhost:27017/"],
] as const;

/** What takes the check of certificates out of a MongoDB URL. */
const uncheckedMongo =
  /[?&](tlsInsecure|tlsAllowInvalidCertificates|tlsAllowInvalidHostnames)=true/i;

/**
 * Complaints about switches of Node and of libraries, outside of our settings, that would send secrets where others read
 * them. Certificates may stay unchecked only with ALLOW_INSECURE_TLS=1, and only while all servers are on this machine.
 *
 * @param names settings that the service has
 */
export function networkProblems(
  names: readonly string[],
  get: Lookup,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  return [...payloadDumps(names, env), ...uncheckedCertificates(names, get, env)];
}

function payloadDumps(
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const name = "KAFKAJS_DEBUG_PROTOCOL_BUFFERS";
  if (!names.includes("KAFKA_BROKERS") || (env[name] ?? "") === "") return [];
  return [`${name} is set: it prints records and passwords, unset it`];
}

function uncheckedCertificates(
  names: readonly string[],
  get: Lookup,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const switches = [
    ...(env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0" ? ["NODE_TLS_REJECT_UNAUTHORIZED is 0"] : []),
    ...(uncheckedMongo.test(get("MONGODB_URL") ?? "")
      ? ["MONGODB_URL switches the check of certificates off"]
      : []),
  ];
  const servers = serverSettings.flatMap(([name, fallback]) =>
    names.includes(name) ? hostsOf(get(name) ?? fallback) : [],
  );
  const local = servers.every((host) => isLoopback(host));
  if (local && env["ALLOW_INSECURE_TLS"] === "1") return [];
  return switches.map(
    (what) =>
      `${what}: anybody in between could read along; only for servers on localhost, with ALLOW_INSECURE_TLS=1`,
  );
}

/** Host names of `host:port` or `scheme://user:password@host:port,host:port/path`. */
export function hostsOf(addresses: string): string[] {
  const authority = addresses.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/[/?#].*$/s, "");
  const hosts = authority.slice(authority.lastIndexOf("@") + 1).split(",");
  return hosts.map((host) => host.trim().replace(/:\d*$/, ""));
}
