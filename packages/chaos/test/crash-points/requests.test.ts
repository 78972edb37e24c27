import { expect, test } from "vitest";
import { crashPoint, crashPoints } from "../../src/crash-points/crash-points.ts";
import { producesRecords, updatesDocuments } from "../../src/crash-points/requests.ts";

test("there are 3 points of the producer, 6 of the processor, 3 of the sink, each once", () => {
  const names = crashPoints.map(({ service, name }) => `${service}/${name}`);
  expect(new Set(names).size).toBe(12);
  const count = (service: string): number =>
    names.filter((name) => name.startsWith(service)).length;
  expect(["producer", "processor", "sink"].map(count)).toEqual([3, 6, 3]);
  expect(() => crashPoint("sink", "claimed")).toThrow("sink has no crash point claimed");
});

test("a Produce request is known by its length and API key", () => {
  const request = Buffer.from([0, 0, 0, 6, 0, 0, 0, 7, 1, 2]);
  expect(producesRecords(request)).toBe(true);
  expect(producesRecords(Buffer.from([0, 0, 0, 6, 0, 1, 0, 7, 1, 2]))).toBe(false);
  expect(producesRecords(request.subarray(0, 9))).toBe(false);
  expect(producesRecords(request.subarray(0, 4))).toBe(false);
});

test("an update is known by the first field of its OP_MSG", () => {
  const message = (command: string): Buffer => {
    const bytes = Buffer.alloc(60);
    bytes.writeInt32LE(bytes.length, 0);
    bytes.writeInt32LE(2013, 12);
    bytes.write(`\u0002${command}\0`, 25, "latin1");
    return bytes;
  };
  expect(updatesDocuments(message("update"))).toBe(true);
  expect(updatesDocuments(message("find"))).toBe(false);
  expect(updatesDocuments(message("updates"))).toBe(false);
  expect(updatesDocuments(message("update").subarray(0, 59))).toBe(false);
});
