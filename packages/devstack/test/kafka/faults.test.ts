import { describe, expect, test } from "vitest";
import { Faults } from "../../src/kafka/faults.ts";

const PRODUCE = 0;
const FETCH = 1;

describe("a fault", () => {
  test.each([
    { name: "without conditions hits everything", fault: {}, hit: true },
    { name: "for this API key", fault: { apiKey: PRODUCE }, hit: true },
    { name: "for another API key", fault: { apiKey: FETCH }, hit: false },
    { name: "for a topic the request names", fault: { topic: "b" }, hit: true },
    { name: "for a topic it does not name", fault: { topic: "c" }, hit: false },
    { name: "for a partition of that topic", fault: { topic: "b", partition: 1 }, hit: true },
    { name: "for another topic's partition", fault: { topic: "a", partition: 1 }, hit: false },
  ])("$name: $hit", ({ fault, hit }) => {
    const faults = new Faults();
    faults.add({ ...fault, action: "close-after" });
    const targets = [
      { topic: "a", partition: 0 },
      { topic: "b", partition: 1 },
    ];
    expect(faults.match(PRODUCE, targets)).toHaveLength(hit ? 1 : 0);
  });

  test("is spent after its count and says how often it hit", () => {
    const faults = new Faults();
    const handle = faults.add({ count: 2, action: "drop-response" });
    const hits = [1, 2, 3].map(() => faults.match(PRODUCE, []).length);
    expect([hits, handle.hits]).toEqual([[1, 1, 0], 2]);
  });

  test("hits once by default, and not at all after it was removed", () => {
    const faults = new Faults();
    faults.add({ action: "close-before" });
    faults.add({ action: "drop-response" }).remove();
    expect(faults.match(PRODUCE, [])).toEqual([{ action: "close-before" }]);
    expect(faults.match(PRODUCE, [])).toEqual([]);
  });
});
