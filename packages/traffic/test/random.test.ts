import { expect, test } from "vitest";
import { randomAt, seekableRandom } from "../src/random.ts";

function draws(seed: number, index: number, count: number): number[] {
  const random = randomAt(seed, index);
  return Array.from({ length: count }, () => random());
}

test("the numbers are a function of seed and index", () => {
  expect(draws(7, 3, 5)).toEqual(draws(7, 3, 5));
  expect(draws(7, 3, 5)).not.toEqual(draws(7, 4, 5));
  expect(draws(7, 3, 5)).not.toEqual(draws(8, 3, 5));
  expect(draws(7, 2 ** 32 + 3, 5)).not.toEqual(draws(7, 3, 5));
});

test("seeking an index gives its numbers, whatever was drawn before", () => {
  const { random, seek } = seekableRandom(7);
  const found = [5, 2 ** 32 + 3, 5, 0].map((index) => {
    seek(index);
    return [random(), random()];
  });
  expect(found).toEqual([5, 2 ** 32 + 3, 5, 0].map((index) => draws(7, index, 2)));
});

test.each([0, 1, 2])("draw %d is uniform over indexes", (draw) => {
  const buckets = Array.from({ length: 10 }, () => 0);
  const indexes = 50_000;
  for (let index = 0; index < indexes; index++) {
    const value = draws(1, index, draw + 1)[draw] ?? -1;
    const bucket = Math.floor(value * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  const expected = indexes / 10;
  const chiSquare = buckets.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  // 9 degrees of freedom: above 33.7 in one of 10,000 seeds, and the seed is fixed.
  expect(chiSquare).toBeLessThan(33.7);
});

test("neighbouring indexes do not follow each other", () => {
  const first = Array.from({ length: 20_000 }, (_, index) => draws(1, index, 1)[0] ?? 0);
  const products = first
    .slice(1)
    .map((value, index) => (value - 0.5) * ((first[index] ?? 0) - 0.5));
  const correlation = (products.reduce((sum, p) => sum + p, 0) / products.length) * 12;
  expect(Math.abs(correlation)).toBeLessThan(0.03);
});
