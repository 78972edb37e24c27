import { expect, test } from "vitest";
import { adInteractionSchema } from "../src/ad-interaction.ts";

test("an interaction has the fields of the latency study, in its order", () => {
  const { name, fields }: { name: string; fields: { name: string; type: unknown }[] } =
    JSON.parse(adInteractionSchema);
  expect(name).toBe("AdInteraction");
  expect(fields.map((field) => [field.name, field.type])).toEqual([
    ["user_id", "string"],
    ["page_id", "string"],
    ["ad_id", "string"],
    ["ad_type", "string"],
    ["event_type", "string"],
    ["event_time_ns", "long"],
    ["window_id", "long"],
    ["ip_address", "string"],
    ["campaign_id", "string"],
    ["produce_time", { type: "long", logicalType: "timestamp-millis" }],
  ]);
});
