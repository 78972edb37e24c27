import * as fc from "fast-check";
import { expect, test } from "vitest";
import { histogram, histogramSvg, histogramText } from "@adstream/bench/study-histogram";

test("every value is in one class, which is a round number wide", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 1 }), (values) => {
      const { from, width, counts } = histogram(values);
      expect(String(width)).toMatch(/^[125]0*$/);
      expect(counts.length).toBeLessThanOrEqual(17);
      for (const [at, count] of counts.entries()) {
        const low = from + at * width;
        expect(values.filter((value) => value >= low && value < low + width)).toHaveLength(count);
      }
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(values.length);
    }),
  );
});

test("a line for each class, bars by their share of the highest", () => {
  expect(histogramText({ from: 90, width: 10, counts: [1, 0, 200] })).toBe(
    [` 90 – 100  ▏ 1`, `100 – 110   0`, `110 – 120  ${"█".repeat(50)} 200`].join("\n"),
  );
  expect(histogramText(histogram([]))).toBe("");
});

test("the drawing has a bar for each class, the highest as high as there is room", () => {
  const svg = histogramSvg([{ title: "a", histogram: { from: 0, width: 5, counts: [2, 4] } }]);
  const heights = [...svg.matchAll(/height="([\d.]+)" fill="#4477aa"/g)].map(
    ([, height]) => height,
  );
  expect(heights).toEqual(["70.0", "140.0"]);
  expect(svg).toContain(">5</text>");
});
