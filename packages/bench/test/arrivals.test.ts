import { describe, expect, test } from "vitest";
import { randomBelow } from "@adstream/bench/ad-events";
import { arrivalGaps, arrivalModels } from "@adstream/bench/arrivals";

const rate = 1_000;
const seconds = 400;

/** Arrivals in each second. */
function perSecond(model: (typeof arrivalModels)[number]): number[] {
  const below = randomBelow(7);
  const gaps = arrivalGaps(model, rate, () => below(2 ** 30) / 2 ** 30);
  const counts = Array.from({ length: seconds }, () => 0);
  for (let atMs = gaps(); atMs < seconds * 1_000; atMs += gaps()) {
    const second = Math.floor(atMs / 1_000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

describe("arrivals", () => {
  test.each(arrivalModels)("%s arrivals keep the rate on average", (model) => {
    const total = perSecond(model).reduce((sum, one) => sum + one, 0);
    // Of an MMPP the seconds are few: 400 of them put the mean within some 7 %.
    expect(Math.abs(total / (rate * seconds) - 1)).toBeLessThan(model === "mmpp" ? 0.1 : 0.01);
  });

  test("uniform arrivals are the same in every second", () => {
    const counts = perSecond("uniform");
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  test("Poisson arrivals of a second vary as their mean does", () => {
    expect(variance(perSecond("poisson")) / rate).toBeCloseTo(1, 0);
  });

  test("an MMPP is in one of two states for whole seconds, whose rates are 1 to 5", () => {
    const counts = perSecond("mmpp");
    const quiet = counts.filter((one) => one < rate);
    const busy = counts.filter((one) => one >= rate);
    expect(mean(busy) / mean(quiet)).toBeCloseTo(5, 0);
    expect(variance(busy) / mean(busy)).toBeLessThan(2);
    // It stays with probability 1/2, so pairs of equal seconds are about half of all.
    const kept = counts.filter((one, at) => at > 0 && one < rate === (counts[at - 1] ?? 0) < rate);
    expect(Math.abs(kept.length / seconds - 0.5)).toBeLessThan(0.1);
  });
});

function mean(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  return mean(values.map((one) => (one - middle) ** 2));
}
