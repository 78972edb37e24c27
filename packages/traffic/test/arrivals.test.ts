import { describe, expect, test } from "vitest";
import { arrivalGaps, arrivalModels, seededGaps } from "../src/arrivals.ts";
import { randomAt } from "../src/random.ts";
import type { ArrivalModel } from "../src/arrivals.ts";

const rate = 100;
const seconds = 20_000;

/** Arrivals in each second of the model's own time. */
function countsPerSecond(model: ArrivalModel, seed = 1): number[] {
  const next = arrivalGaps(model, rate, randomAt(seed, 0));
  const counts = Array.from({ length: seconds }, () => 0);
  for (let atMs = next(); atMs < seconds * 1_000; atMs += next()) {
    const second = Math.floor(atMs / 1_000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Variance by mean: 0 where arrivals are even, 1 where they are Poisson, above where they come in bursts. */
function dispersion(counts: readonly number[]): number {
  const average = mean(counts);
  return mean(counts.map((count) => (count - average) ** 2)) / average;
}

test.each(arrivalModels)("%s: the mean rate is the one asked for", (model) => {
  // Of 20,000 s the rate of an MMPP is the least certain: 2/3 / sqrt(20,000) = 0.5 % of standard error.
  expect(Math.abs(mean(countsPerSecond(model)) / rate - 1)).toBeLessThan(0.015);
});

test.each(arrivalModels)("%s: a seed has one schedule, and another seed another one", (model) => {
  const gaps = (seed: number): number[] => {
    const next = seededGaps(model, rate, seed);
    return Array.from({ length: 1_000 }, () => next());
  };
  expect(gaps(1)).toEqual(gaps(1));
  if (model !== "uniform") expect(gaps(2)).not.toEqual(gaps(1));
});

test("uniform arrivals are even", () => {
  expect(dispersion(countsPerSecond("uniform"))).toBeLessThan(0.01);
});

test("Poisson counts vary as much as their mean, and their gaps have no memory", () => {
  expect(dispersion(countsPerSecond("poisson"))).toBeCloseTo(1, 1);
  const next = arrivalGaps("poisson", rate, randomAt(1, 0));
  const gaps = Array.from({ length: 200_000 }, () => next());
  // Exponential: the share of gaps longer than x means is e^-x.
  for (const x of [0.5, 1, 2, 4]) {
    const share = gaps.filter((gap) => gap > (x * 1_000) / rate).length / gaps.length;
    expect(share).toBeCloseTo(Math.exp(-x), 2);
  }
});

describe("MMPP", () => {
  const counts = countsPerSecond("mmpp");
  // Rates 1/3 and 5/3 of the mean; 100 arrivals a second keep them well apart.
  const busy = counts.map((count) => count > rate * 0.9);

  test("has two rates, the one five times the other", () => {
    const quietRate = mean(counts.filter((_, second) => busy[second] === false));
    const busyRate = mean(counts.filter((_, second) => busy[second] === true));
    expect(quietRate / rate).toBeCloseTo(1 / 3, 2);
    expect(busyRate / rate).toBeCloseTo(5 / 3, 2);
  });

  test("changes between them after every second one of the steps of 1 s, either way", () => {
    const changes = (from: boolean): number => {
      const steps = busy.slice(0, -1).flatMap((state, second) => (state === from ? [second] : []));
      return steps.filter((second) => busy[second + 1] !== from).length / steps.length;
    };
    expect(changes(true)).toBeCloseTo(0.5, 1);
    expect(changes(false)).toBeCloseTo(0.5, 1);
    expect(mean(busy.map(Number))).toBeCloseTo(0.5, 1);
  });

  test("is as bursty as theory says: 1 + 4/9 of the mean count", () => {
    const theory = 1 + (4 / 9) * rate;
    expect(Math.abs(dispersion(counts) / theory - 1)).toBeLessThan(0.03);
  });
});
