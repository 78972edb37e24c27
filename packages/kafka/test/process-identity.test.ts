import { expect, test } from "vitest";
import {
  knownDead,
  memberClientId,
  procTable,
  type ProcessTable,
} from "../src/process-identity.ts";

const machine = "0123456789ab";
const table: ProcessTable = {
  machine,
  startOf: (pid) => ({ 7: "700", 8: null, 9: undefined })[pid],
};

test.each([
  ["of this machine, and its process runs", `sink@${machine}.7.700`, false],
  ["whose process number is another process by now", `sink@${machine}.7.699`, true],
  ["whose process is gone", `sink@${machine}.8.700`, true],
  ["whose process cannot be seen from here", `sink@${machine}.9.700`, false],
  ["of another machine, container or boot", "sink@ba9876543210.8.700", false],
  ["that does not say where it runs", "sink", false],
])("a member %s", (_which, clientId, dead) => {
  expect(knownDead(clientId, table)).toBe(dead);
});

test("a member's name says which process it is, and nothing where nobody could check", () => {
  expect(memberClientId("sink", 7, table)).toBe(`sink@${machine}.7.700`);
  expect(memberClientId("sink", 9, table)).toBe("sink");
  expect(memberClientId("sink", 7, { ...table, machine: undefined })).toBe("sink");
});

test.runIf(process.platform === "linux")("this process lives; one before it is dead", () => {
  const name = memberClientId("sink");
  expect(name).toMatch(/^sink@[0-9a-f]{12}\.\d+\.\d+$/);
  expect(knownDead(name, procTable())).toBe(false);
  expect(knownDead(name.replace(/\d+$/, "1"), procTable())).toBe(true);
  // Beyond what Linux gives to processes.
  expect(knownDead(name.replace(/\.\d+\.(\d+)$/, ".9999999.$1"), procTable())).toBe(true);
});
