import { expect, test } from "vitest";
import { zstdCodec } from "../src/zstd-codec.ts";

test.each([0, 1, 100_000])("%i bytes come back as they were", async (length) => {
  const bytes = Uint8Array.from({ length }, (_, at) => at % 251);
  const back = await zstdCodec.decompress(await zstdCodec.compress(bytes), length);
  expect(Buffer.compare(back, bytes)).toBe(0);
});

test("a payload larger than its header says is refused before it fills the memory", async () => {
  const bomb = await zstdCodec.compress(new Uint8Array(1_000_000));
  await expect(zstdCodec.decompress(bomb, 1_000)).rejects.toMatchObject({
    code: "CHECKPOINT_UNREADABLE",
  });
});

test("bytes that are no zstd are refused", async () => {
  const garbage = Uint8Array.of(1, 2, 3, 4);
  await expect(zstdCodec.decompress(garbage, 10)).rejects.toMatchObject({
    code: "CHECKPOINT_UNREADABLE",
  });
});
