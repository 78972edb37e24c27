import { StreamError, type Disposition, type ErrorCode } from "@adstream/engine/errors";

const notAuthorized = new Set([
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "ILLEGAL_SASL_STATE",
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "KafkaJSSASLAuthenticationError",
  // What a broker without SASL is told first.
  "KafkaJSServerDoesNotSupportApiKey",
]);
/** Settings of ours that a broker does not take: KAFKA_SESSION_TIMEOUT below or above its bounds. */
const refusedSetting = new Set(["INVALID_SESSION_TIMEOUT"]);
const tooLarge = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);
/** Of these kafkajs says "not retriable", which means only that it gave up. */
const unavailable = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSNoBrokerAvailableError",
  "KafkaJSGroupCoordinatorNotFound",
  "KafkaJSLockTimeout",
  "KafkaJSTimeout",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
]);

/**
 * A failure of the Kafka client as one of ours, decided by names and codes, never by texts.
 *
 * @param doing what was attempted, for the message: "reading ad_topic"
 */
export function toStreamError(error: unknown, doing: string): StreamError {
  if (error instanceof StreamError) return error;
  const original = originalCause(error);
  const { code, disposition } = classify(original);
  return new StreamError(code, disposition, `${doing}: ${describe(original)}`, { cause: error });
}

/** kafkajs wraps: "number of retries exceeded" and "not retriable" around a failure, an aggregate around several. */
function originalCause(error: unknown): unknown {
  let innermost = error;
  for (let depth = 0; depth < 10; depth++) {
    const several = field(innermost, "errors");
    const inner: unknown = Array.isArray(several) ? several[0] : field(innermost, "cause");
    if (!(inner instanceof Error)) break;
    innermost = inner;
  }
  return innermost;
}

function classify(error: unknown): { code: ErrorCode; disposition: Disposition } {
  const names = [textField(error, "type"), textField(error, "name")];
  const among = (set: ReadonlySet<string>) => names.some((name) => set.has(name));
  if (among(notAuthorized)) return { code: "NOT_AUTHORIZED", disposition: "stop" };
  if (among(refusedSetting)) return { code: "SETTING_REFUSED", disposition: "stop" };
  if (names.includes("UNKNOWN_TOPIC_OR_PARTITION"))
    return { code: "TOPIC_MISSING", disposition: "stop" };
  if (names.includes("OFFSET_OUT_OF_RANGE")) return { code: "OFFSET_GAP", disposition: "stop" };
  if (among(tooLarge)) return { code: "RECORD_TOO_LARGE", disposition: "dead-letter" };
  const retriable = names[1]?.startsWith("KafkaJS") === true && field(error, "retriable") === true;
  if (among(unavailable) || retriable) return { code: "SERVER_UNAVAILABLE", disposition: "retry" };
  return { code: "INTERNAL", disposition: "stop" };
}

/** Allow-listed: kafkajs' texts for codes are constants, other texts may hold anything. */
function describe(error: unknown): string {
  const type = textField(error, "type");
  const code = textField(error, "code");
  const name = textField(error, "name");
  const what = type !== "" ? `${type} (${textField(error, "message")})` : name || "unknown failure";
  const where = ["broker", "topic", "partition"]
    .map((part) => [part, field(error, part)] as const)
    .filter(([, value]) => typeof value === "string" || typeof value === "number")
    .map(([part, value]) => ` ${part} ${String(value)}`);
  return `${what}${code === "" ? "" : ` ${code}`}${where.join("")}`;
}

function field(error: unknown, name: string): unknown {
  return error instanceof Error ? Reflect.get(error, name) : undefined;
}

function textField(error: unknown, name: string): string {
  const value = field(error, name);
  return typeof value === "string" ? value : "";
}
