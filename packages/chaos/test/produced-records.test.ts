import { expect, test } from "vitest";
import { EventNames, namingArgs, producerSeeds } from "../src/produced-records.ts";

function named(seed: number, index: number): Buffer {
  // The byte before is the length of the name, which may look like a digit.
  return Buffer.concat([
    Buffer.from([0, 1, 2, 0x34]),
    Buffer.from(`${seed}-${index}-1790000000000`),
  ]);
}

test("records are told apart by their names, and doubled ones counted", () => {
  const names = new EventNames();
  const seed = producerSeeds(7)();
  for (const index of [0, 1, 1, 3, 5_000]) names.add(named(seed, index));
  names.add(null);
  names.add(Buffer.from("short"));
  expect(names).toMatchObject({ records: 7, doubled: 1, nameless: 2 });
  expect(names.missing(seed, 2)).toBe(0);
  expect(names.missing(seed, 4)).toBe(1);
  expect(names.missing(seed, 5_001)).toBe(4_997);
  expect(names.missing(seed + 1, 10)).toBe(10);
});

test("every process of a run has a seed of its own, of ten digits", () => {
  const [first, other] = [producerSeeds(1), producerSeeds(2)];
  const seeds = [...Array.from({ length: 100 }, first), ...Array.from({ length: 100 }, other)];
  expect(new Set(seeds).size).toBe(200);
  expect(seeds.every((seed) => /^\d{10}$/.test(String(seed)) && seed < 2 ** 32)).toBe(true);
  expect(producerSeeds(2 ** 31)()).toBeLessThan(2 ** 32);
  expect(namingArgs(1_000_000_000)[0]).toBe("--seed=1000000000");
});
