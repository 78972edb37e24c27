import * as fc from "fast-check";
import { expect, test } from "vitest";
import { OffsetSet } from "../src/offset-set.ts";

test("holds what was added and nothing else, as a set does", () => {
  const offset = fc.oneof(fc.nat(100_000), fc.constantFrom(0, 31, 32, 32_767, 32_768, 2 ** 52));
  fc.assert(
    fc.property(fc.array(offset), fc.array(offset), (added, asked) => {
      const plain = new Set<number>();
      const set = new OffsetSet();
      for (const one of added) {
        expect(set.add(one)).toBe(!plain.has(one));
        plain.add(one);
      }
      expect(set.size).toBe(plain.size);
      for (const one of [...added, ...asked]) expect(set.has(one)).toBe(plain.has(one));
    }),
  );
});
