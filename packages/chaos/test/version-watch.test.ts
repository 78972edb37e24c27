import { Long } from "mongodb";
import { expect, test } from "vitest";
import { VersionJudge } from "../src/version-watch.ts";

type Version = { readonly rev: number; readonly version: number; readonly count: number };

function regressionsOf(...readings: (readonly Version[])[]): string[] {
  const judge = new VersionJudge();
  for (const reading of readings) {
    const look = judge.begin();
    for (const [index, { rev, version, count }] of reading.entries()) {
      const slots = { p0: { version: Long.fromNumber(version), count } };
      judge.see({ _id: `d${index}`, rev: Long.fromNumber(rev), slots });
    }
    judge.complete(look);
  }
  return judge.regressions;
}

const first: Version = { rev: 3, version: 10, count: 5 };

test.each<readonly [string, readonly Version[], readonly string[]]>([
  ["stays as it is", [first], []],
  ["grows", [{ rev: 4, version: 12, count: 6 }], []],
  ["has an older slot", [{ rev: 4, version: 8, count: 4 }], ["d0 p0: version fell from 10 to 8"]],
  ["has an older revision", [{ rev: 2, version: 10, count: 5 }], ["d0: rev fell from 3 to 2"]],
  [
    "holds something else under the same version",
    [{ rev: 4, version: 10, count: 6 }],
    ['d0 p0: {"count":5} became {"count":6} under version 10'],
  ],
  ["vanishes", [], ["d0 vanished"]],
])("of a document that %s", (_what, later, regressions) => {
  expect(regressionsOf([first], later)).toEqual(regressions);
});

test("a slot that vanishes is a regression", () => {
  const judge = new VersionJudge();
  judge.see({ _id: "d", rev: 1, slots: { p0: { version: 1 }, p1: { version: 1 } } });
  judge.see({ _id: "d", rev: 2, slots: { p0: { version: 1 } } });
  expect(judge.regressions).toEqual(["d p1 vanished"]);
});
