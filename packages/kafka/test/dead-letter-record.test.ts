import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { expect, test } from "vitest";

import { type DeadLetter, deadLetterRecord } from "../src/dead-letter-record.ts";
import { recordBytes } from "../src/outgoing-records.ts";

const maxSendBytes = 900 * 1024;

function letter(given: Partial<DeadLetter> = {}): DeadLetter {
  const origin = { topic: "events", partition: 3, offset: 17, timestamp: 1_700_000_000_000 };
  return { ...origin, key: Buffer.from("k"), value: Buffer.from("v"), reason: "bad", ...given };
}

test("a letter keeps key and value, and says where it came from and why", () => {
  expect(deadLetterRecord("dlq", letter())).toEqual({
    topic: "dlq",
    key: Buffer.from("k"),
    value: Buffer.from("v"),
    headers: {
      [deadLetterHeaders.topic]: "events",
      [deadLetterHeaders.partition]: "3",
      [deadLetterHeaders.offset]: "17",
      [deadLetterHeaders.timestamp]: "1700000000000",
      [deadLetterHeaders.reason]: "bad",
    },
  });
});

test("a letter without a key is keyed by its origin", () => {
  expect(deadLetterRecord("dlq", letter({ key: null })).key).toBe("events-3-17");
});

test.each([-2_000, -1_000, -400, -200, -100, -40, -1, 0, 1, 500_000])(
  "a value of the limit and %i bytes gives a record that can be published",
  (beyond) => {
    const value = Buffer.alloc(maxSendBytes + beyond);
    const record = deadLetterRecord("dlq", letter({ value }));
    expect(recordBytes(record)).toBeLessThanOrEqual(maxSendBytes);
    if (record.value !== null) return;
    expect(record.headers?.[deadLetterHeaders.valueBytes]).toBe(String(value.length));
    expect(record.headers?.[deadLetterHeaders.valueSha256]).toMatch(/^[0-9a-f]{64}$/);
  },
);

test("a key that is too large gives way to the origin, too", () => {
  const record = deadLetterRecord("dlq", letter({ key: Buffer.alloc(maxSendBytes + 1) }));
  expect(record).toMatchObject({ key: "events-3-17", value: null });
});
