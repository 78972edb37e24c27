import { adEventSchema } from "@adstream/contracts/ad-event";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { frame } from "@adstream/kafka/wire-format";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noon, openStage, type Stage } from "./dlq-stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

describe("list", () => {
  test("counts letters by reason, schema and partition, copies left out", async () => {
    const scene = await stage.openScene();
    await scene.letters(
      { offset: 1, timestamp: noon + 5 },
      { offset: 1, timestamp: noon + 5 },
      { offset: 2 },
      { offset: 2, partition: 1, value: frame(9, Buffer.from("x")), reason: "unknown schema id" },
    );
    const { code, out } = await scene.run("list");
    expect([code, out.replaceAll(/ {2,}/g, "  ").split("\n")]).toEqual([
      0,
      [
        "count  reason  schema  partition  first  last  sample",
        `2  short frame  -  0  2026-01-31T12:00:00.000Z  2026-01-31T12:00:00.005Z  ${scene.events}/0/1`,
        `1  unknown schema id  9  1  2026-01-31T12:00:00.000Z  2026-01-31T12:00:00.000Z  ${scene.events}/1/2`,
        `${scene.events}.dlq: 3 letters`,
        "1 copies, which a crash leaves behind, not counted",
        "",
      ],
    ]);
    const json = JSON.parse((await scene.run("list", "--json", "--schema-id", "9")).out);
    expect(json).toMatchObject({ groups: [{ count: 1, schemaId: 9, partition: 1 }] });
    expect((await scene.run("list", "--topic", "late")).out).toBe(
      `${scene.events}.late: no such letters\n`,
    );
  });
});

describe("show", () => {
  test("prints a letter so that nothing in it can steer the terminal", async () => {
    const scene = await stage.openScene();
    const key = Buffer.from("\u001b[2Jkey\u202e");
    await scene.letters({
      offset: 7,
      key,
      value: Buffer.from("\u001b]0;x\u0007plain"),
      reason: "a\u009bb",
    });
    const { code, out } = await scene.run("show", "0/7");
    expect(code).toBe(0);
    expect(out).toContain("key        \\u{1b}[2Jkey\\u{202e}\n");
    expect(out).toContain("reason     a\\u{9b}b\n");
    expect(out).toContain(
      "00000000   1b 5d 30 3b 78 07 70 6c 61 69 6e                 .]0;x.plain\n",
    );
    expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test("reads the value again by the schema of now", async () => {
    const scene = await stage.openScene();
    const event = {
      timestamp: noon,
      clicks: 1,
      views: 1,
      cost: -1,
      event_id: null,
      ad_id: "a\u0007",
    };
    const value = frame(stage.schemaId, avroCodec(adEventSchema).encode(event));
    await scene.letters({ offset: 1, value }, { offset: 2, value: frame(4_711, Buffer.from("x")) });
    expect((await scene.run("show", "0/1")).out).toContain(
      `decoded    {"ad_id":"a\\u0007","timestamp":${noon},"clicks":1,"views":1,"cost":-1`,
    );
    expect((await scene.run("show", "0/2")).out).toContain("decoded    no: schema id 4711 is not");
    const json = JSON.parse((await scene.run("show", "0/1", "--json")).out);
    expect(json).toMatchObject({
      value: value.toString("hex"),
      schemaId: stage.schemaId,
      partition: 0,
      offset: 1,
    });
  });

  test("of a letter that is not there ends with 1", async () => {
    const scene = await stage.openScene();
    expect(await scene.run("show", "0/7")).toMatchObject({
      code: 1,
      err: `adstream dlq: ${scene.events}.dlq holds no letter of 0/7\n`,
    });
  });
});
