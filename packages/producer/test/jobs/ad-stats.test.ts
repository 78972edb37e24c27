import { adEventSchema } from "@adstream/contracts/ad-event";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { RecordBlocks } from "@adstream/kafka/record-blocks";
import { frame } from "@adstream/kafka/wire-format";
import { readEnvironment } from "@adstream/service/environment";
import { expect, test } from "vitest";
import { adEvents } from "../../src/ad-events.ts";
import { spoiled } from "../../src/bad-records.ts";
import { environment, trafficSettings } from "../../src/config.ts";
import { adStats } from "../../src/jobs/ad-stats.ts";
import { openTally } from "../../src/tally.ts";

const { encode } = avroCodec(adEventSchema);
const encoder = { schemaId: 258, encode, frame };

test("records are the events of the traffic, framed and keyed by ad, flaws included", () => {
  const env = { PRODUCER_BAD_RATIO: "0.2", PRODUCER_REDELIVER_RATIO: "0.2" };
  const config = readEnvironment(environment, { env, file: null });
  const append = adStats.open(config, encoder.schemaId);
  const next = adEvents(trafficSettings(config));
  const blocks = new RecordBlocks("t", 1);
  const tally = openTally();
  const expected = Array.from({ length: 2_000 }, (_, index) => {
    append(blocks, { dueMs: 1_000_000 + index + 0.7, sentMs: 2_000_000 }, tally);
    const { event, flaw } = next(1_000_000 + index);
    const value =
      flaw === undefined ? frame(encoder.schemaId, encode(event)) : spoiled(event, flaw, encoder);
    return { key: event.ad_id, value: value && Buffer.from(value) };
  });
  const found = [...blocks.outgoing()].map(({ key, value }) => ({
    key: String(key),
    value: value && Buffer.from(value),
  }));
  expect(found).toEqual(expected);
  tally.cut()();
  expect(tally.counts().bad).toBeGreaterThan(300);
  expect(tally.counts().redelivered).toBeGreaterThan(300);
});
