import { StreamError } from "@adstream/engine/errors";
import { toStreamError } from "@adstream/kafka/error-map";
import kafkajs from "kafkajs";
import { expect, test } from "vitest";

function protocolError(type: string, retriable = false): Error {
  return new kafkajs.KafkaJSProtocolError(
    Object.assign(new Error("text"), { type, code: 1, retriable }),
  );
}

test.each([
  ["SASL_AUTHENTICATION_FAILED", "NOT_AUTHORIZED", "stop"],
  ["TOPIC_AUTHORIZATION_FAILED", "NOT_AUTHORIZED", "stop"],
  ["GROUP_AUTHORIZATION_FAILED", "NOT_AUTHORIZED", "stop"],
  ["UNKNOWN_TOPIC_OR_PARTITION", "TOPIC_MISSING", "stop"],
  ["OFFSET_OUT_OF_RANGE", "OFFSET_GAP", "stop"],
  ["MESSAGE_TOO_LARGE", "RECORD_TOO_LARGE", "dead-letter"],
  ["INVALID_SESSION_TIMEOUT", "SETTING_REFUSED", "stop"],
  ["INVALID_CONFIG", "INTERNAL", "stop"],
])("the broker's %s is %s", (type, code, disposition) => {
  expect(toStreamError(protocolError(type), "reading t")).toMatchObject({
    code,
    disposition,
    message: expect.stringContaining(`reading t: ${type}`),
  });
});

test("a retriable answer of the broker may be asked for again", () => {
  const error = toStreamError(protocolError("LEADER_NOT_AVAILABLE", true), "reading t");
  expect(error).toMatchObject({ code: "SERVER_UNAVAILABLE", disposition: "retry" });
});

test("what kafkajs wrapped counts as what it wrapped", () => {
  const inner = protocolError("GROUP_AUTHORIZATION_FAILED");
  // kafkajs' own types do not know the cause.
  const wrapped = Object.assign(new kafkajs.KafkaJSNonRetriableError("x"), { cause: inner });
  const twice = new kafkajs.KafkaJSNumberOfRetriesExceeded(wrapped, {
    retryCount: 8,
    retryTime: 1,
  });
  expect(toStreamError(twice, "reading t")).toMatchObject({ code: "NOT_AUTHORIZED", cause: twice });
});

test("connections that fail are named with broker and code, for another attempt", () => {
  const error = new kafkajs.KafkaJSConnectionError("x", { broker: "b:9092", code: "ECONNREFUSED" });
  expect(toStreamError(error, "connecting")).toMatchObject({
    code: "SERVER_UNAVAILABLE",
    disposition: "retry",
    message: "connecting: KafkaJSConnectionError ECONNREFUSED broker b:9092",
  });
});

test("errors of ours pass as they are, and whatever else is internal", () => {
  const ours = new StreamError("BATCH_CORRUPT", "stop", "x");
  expect(toStreamError(ours, "reading t")).toBe(ours);
  for (const other of [new RangeError("secret"), "secret", undefined]) {
    const mapped = toStreamError(other, "reading t");
    expect(mapped).toMatchObject({ code: "INTERNAL", disposition: "stop" });
    expect(mapped.message).not.toContain("secret");
  }
});
