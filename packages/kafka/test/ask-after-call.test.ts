import { askAfterCall } from "@adstream/kafka/ask-after-call";
import { expect, test } from "vitest";

/** A question that is answered by hand, in the order in which it was asked. */
function question() {
  const asked: PromiseWithResolvers<string>[] = [];
  const ask = askAfterCall(() => {
    const answer = Promise.withResolvers<string>();
    asked.push(answer);
    return answer.promise;
  });
  return { ask, asked };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

test("who calls at the same time shares one question", async () => {
  const { ask, asked } = question();
  const answers = Promise.all([ask(), ask(), ask()]);
  await turns();
  expect(asked.length).toBe(1);
  asked[0]?.resolve("now");
  expect(await answers).toEqual(["now", "now", "now"]);
});

test("who calls while a question is being answered gets the answer to the next one", async () => {
  const { ask, asked } = question();
  const first = ask();
  await turns();
  const later = [ask(), ask()];
  await turns();
  expect(asked.length).toBe(1);
  asked[0]?.resolve("old");
  expect(await first).toBe("old");
  await turns();
  expect(asked.length).toBe(2);
  asked[1]?.resolve("new");
  expect(await Promise.all(later)).toEqual(["new", "new"]);
});

test("a question that fails fails for those who asked it, and the next one is asked", async () => {
  const { ask, asked } = question();
  const first = ask();
  await turns();
  const later = ask();
  asked[0]?.reject(new Error("away"));
  await expect(first).rejects.toThrow("away");
  await turns();
  asked[1]?.resolve("back");
  expect(await later).toBe("back");
});
