import { expect, test } from "vitest";
import { checkpointPlace, checkpointUrl } from "../src/checkpoint-store.ts";

test.each([
  ["file:.data/checkpoints", { kind: "file", directory: ".data/checkpoints" }],
  ["file:///var/lib/x", { kind: "file", directory: "/var/lib/x" }],
  ["gs://my-bucket", { kind: "bucket", bucket: "my-bucket", prefix: "" }],
  ["gs://my-bucket/", { kind: "bucket", bucket: "my-bucket", prefix: "" }],
  ["gs://my-bucket/a/b c/", { kind: "bucket", bucket: "my-bucket", prefix: "a/b c" }],
])("%s names a place", (url, place) => {
  expect(checkpointPlace(url)).toEqual(place);
});

test.each([
  "",
  "checkpoints",
  "file:",
  "s3://bucket",
  "gs:bucket",
  "gs://",
  "gs://B",
  "gs://a",
  "gs://my-bucket//x",
  "gs://my-bucket/../x",
  "gs://my-bucket/a\nb",
  "gs://my-bucket/*",
  "gs://-bucket/x",
])("%j names none", (url) => {
  expect(checkpointPlace(url)).toBeUndefined();
});

test("a place is shown as the URL that names it", () => {
  for (const url of ["file:/var/lib/x", "gs://my-bucket", "gs://my-bucket/a/b"]) {
    const place = checkpointPlace(url);
    expect(place && checkpointUrl(place)).toBe(url);
  }
});
