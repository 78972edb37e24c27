import { expect, test } from "vitest";
import { newestLogEnd } from "../src/log-end.ts";

const away = new Error("no broker");

test.each<[string, number | undefined, number | Error, number | undefined]>([
  ["fetches that stopped returning do not hide what came since", 10, 25, 25],
  ["an answer that is older than the last fetch is passed over", 30, 25, 30],
  ["before the first fetch the broker is believed", undefined, 25, 25],
  ["while no broker answers the last fetch is believed", 10, away, 10],
  ["otherwise nobody can say", undefined, away, undefined],
])("%s", async (_title, fetched, asked, expected) => {
  const source = {
    logEnd: () => fetched,
    async describe() {
      if (asked instanceof Error) throw asked;
      return { high: asked };
    },
  };
  expect(await newestLogEnd(source, 0)).toBe(expected);
});
